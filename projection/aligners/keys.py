"""Alignment keys: what a statistical aligner sees instead of the words."""

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from projection.aligners.settings import AlignmentKeys, AlignmentSettings
from projection.parallel import TextPair

Pair = tuple[list[str], list[str]]
"""Keys of a source sentence and of its translation."""


def key_pairs(
    pairs: Iterable[TextPair], settings: AlignmentSettings, default: AlignmentKeys
) -> list[Pair]:
    """Keys of every pair; ``default`` where the settings leave the kind of key open."""
    keys, numbers = settings.keys or default, settings.fold_numbers
    return [
        (
            alignment_keys(source, keys, fold_numbers=numbers),
            alignment_keys(target, keys, fold_numbers=numbers),
        )
        for source, target in pairs
    ]


def training_text(
    pairs: Sequence[Pair],
    extra: Iterable[TextPair],
    settings: AlignmentSettings,
    default: AlignmentKeys,
) -> list[Pair]:
    """What a statistical model is trained on: the pairs, extra text, and anchors."""
    anchors = anchor_pairs(pairs) * settings.anchors
    return [*pairs, *key_pairs(extra, settings, default), *anchors]


def anchor_pairs(pairs: Sequence[Pair]) -> list[Pair]:
    """One pair of one word each for every word that stands on both sides of a pair.

    >>> anchor_pairs([(["visit", "oslo"], ["besuch", "oslo"])])
    [(['oslo'], ['oslo'])]
    """
    return [
        ([word], [word])
        for source, target in pairs
        for word in sorted(set(source).intersection(target))
    ]


def alignment_keys(
    tokens: Sequence[str], keys: AlignmentKeys, *, fold_numbers: bool = False
) -> list[str]:
    """What the aligner sees instead of ``tokens``; the words themselves stay as they are.

    >>> alignment_keys(["The", "U.S.", "."], AlignmentKeys.FOLDED)
    ['the', 'u.s', '.']
    >>> alignment_keys(["1,250", "km"], AlignmentKeys.SURFACE, fold_numbers=True)
    ['0,000', 'km']
    """
    made = [_key(token, keys) for token in tokens]
    return [_without_digits(key) for key in made] if fold_numbers else made


def _key(token: str, keys: AlignmentKeys) -> str:
    if keys is AlignmentKeys.SURFACE:
        return token
    return token.lower() if keys is AlignmentKeys.LOWER else fold(token)


@lru_cache(maxsize=2**16)
def fold(token: str) -> str:
    """Lower-cased, without the punctuation at its edges unless it has nothing else.

    >>> fold("(Oslo,")
    'oslo'
    """
    lowered = token.lower()
    inner = lowered.strip("".join(c for c in set(lowered) if not _is_letter_or_digit(c)))
    return inner or lowered


def _without_digits(key: str) -> str:
    return "".join("0" if character.isdigit() else character for character in key)


def _is_letter_or_digit(character: str) -> bool:
    """True for combining marks too: they are the vowels of Hindi and the accents of NFD."""
    return character.isalnum() or unicodedata.category(character).startswith("M")

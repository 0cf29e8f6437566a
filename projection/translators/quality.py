"""Translations that cannot be used: told one by one, and counted; or the whole corpus refused."""

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum, auto

from projection.errors import InputError
from projection.parallel import Words
from projection.translators.base import LanguagePair

MIN_WORDS = 4
"""Of letters, from which on a translation that repeats its source is no translation."""
MAX_RATIO = 3.0
MIN_LONGER = 10
"""A side with at least so many words and more than ``MAX_RATIO`` times those of the other."""
MOSTLY = 0.5
"""Share of the sentences from which on a fault is that of the whole file."""
WORDS_OF_A_SAMPLE = 50
"""Words that are classified at once: single sentences are too short to tell a language by."""
CHARACTERS_TO_TELL = 1_000
"""Of each side; corpora with less text are not judged."""


class Unusable(StrEnum):
    """Why a translation is dropped."""

    EMPTY = auto()
    COPIED = auto()
    """It is its source."""
    LENGTH = auto()
    """One side is so much longer than the other that they cannot say the same."""


def unusable(source: Words, target: Words) -> Unusable | None:
    """What is wrong with a translation; None if nothing that can be seen.

    >>> unusable(("He", "never", "went", "there"), ("He", "never", "went", "there"))
    <Unusable.COPIED: 'copied'>
    >>> unusable(("Anna", "Berg", "2"), ("Anna", "Berg", "2")) is None
    True
    """
    if not target:
        return Unusable.EMPTY
    if is_copied(source, target):
        return Unusable.COPIED
    shorter, longer = sorted((len(source), len(target)))
    if longer >= MIN_LONGER and longer > MAX_RATIO * shorter:
        return Unusable.LENGTH
    return None


def is_copied(source: Words, target: Words) -> bool:
    """True if both sides are the same and long enough not to be a name or a number."""
    letters = sum(any(map(str.isalpha, word)) for word in source)
    return letters >= MIN_WORDS and _folded(source) == _folded(target)


def _folded(words: Words) -> str:
    return " ".join(words).casefold()


def check_languages(
    sources: Sequence[Words], targets: Sequence[Words | None], pair: LanguagePair, where: str
) -> None:
    """Refuse a translation that is the source copied, or whose sides are the wrong way round.

    Args:
        sources: Words of every block.
        targets: Words of its translation, or None.
        pair: What the sides should be.
        where: The file or the translator, for the message.

    Raises:
        InputError: Most blocks are copied, or each side is in the language of the other.
    """
    both = [(source, target) for source, target in zip(sources, targets, strict=True) if target]
    long = [(source, target) for source, target in both if len(source) >= 2 * MIN_WORDS]
    if long and sum(is_copied(*each) for each in long) > MOSTLY * len(long):
        raise InputError(
            f"{where}: expected a translation {pair}, got the source, copied: more than half of "
            "its sentences are the same on both sides"
        )
    told = tuple(
        language_of([one for each in side for one in each], pair)
        for side in zip(*both, strict=True)
    )
    if told == (pair.target, pair.source):
        raise InputError(
            f"{where}: expected {pair.source} on the source side and {pair.target} on the other, "
            "got them the wrong way round; swap the files or the languages"
        )


def language_of(words: Sequence[str], pair: LanguagePair) -> str | None:
    """Which of the two languages most samples of ``words`` are in; None if that cannot be told."""
    codes = {code.split("-")[0]: code for code in (pair.source, pair.target)}
    if len(codes) < 2 or sum(map(len, words)) < CHARACTERS_TO_TELL:
        return None
    votes = Counter(
        _classify(" ".join(words[start : start + WORDS_OF_A_SAMPLE]))
        for start in range(0, len(words), WORDS_OF_A_SAMPLE)
    )
    code, count = votes.most_common(1)[0]
    return codes.get(code) if count > MOSTLY * votes.total() else None


def _classify(text: str) -> str:
    import py3langid

    language: str = py3langid.classify(text)[0]
    return language

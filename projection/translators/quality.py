"""Translations that cannot be used: told one by one, and counted; or the whole corpus refused."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from projection.errors import InputError
from projection.parallel import (
    ParallelCorpus,
    TranslatedPair,
    Unusable,
    UnusablePair,
    Words,
    read_translation,
)
from projection.records import Corpus
from projection.translators.base import LanguagePair

MIN_WORDS = 3
"""Ordinary words from which on a translation that repeats its source is no translation. Names,
scores and initials stay as they are, and make up 350 of CoNLL-2003's 14,041 sentences."""
LONG = 8
"""Words of a sentence that is hardly ever its own translation."""
MAX_RATIO = 3.0
MIN_LONGER = 10
"""A side with at least so many words and more than ``MAX_RATIO`` times those of the other."""
MOSTLY = 0.5
"""Share of the sentences from which on a fault is that of the whole file."""
WORDS_OF_A_SAMPLE = 50
"""Words that are classified at once: single sentences are too short to tell a language by."""
SAMPLES = 50
"""About so many of a side: classifying all words of 14,000 sentences takes ten seconds."""
CHARACTERS_TO_TELL = 1_000
"""Of each side; corpora with less text are not judged."""


def read_usable(
    corpus: Corpus, path: Path, language: str, *, encoding: str = "utf-8"
) -> ParallelCorpus:
    """Pair ``corpus`` with the translation in ``path``; what cannot be used counts as untranslated.

    Args:
        corpus: The labelled source.
        path: As :func:`~projection.parallel.read_translation` takes it.
        language: Of the translation.
        encoding: Of ``path``.

    Raises:
        InputError: As :func:`~projection.parallel.read_translation` and :func:`check_languages`; or
            no translation at all can be used.
    """
    read = read_translation(corpus, path, language, encoding=encoding)
    sources, targets = zip(*read.texts, strict=True)
    check_languages(sources, targets, LanguagePair(corpus.language, language), str(path))
    usable = drop_unusable(read)
    if not usable.pairs:
        counts = Counter(one.reason for one in usable.untranslated)
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
        raise InputError(f"{path}: expected a translation, but no sentence can be used ({why})")
    return usable


def drop_unusable(corpus: ParallelCorpus) -> ParallelCorpus:
    """``corpus`` with the pairs that cannot be translations among the untranslated."""
    kept: list[TranslatedPair] = []
    dropped = list(corpus.untranslated)
    for pair in corpus.pairs:
        reason = unusable(pair.source, pair.target)
        if reason:
            dropped.append(UnusablePair(pair, reason))
        else:
            kept.append(pair)
    dropped.sort(key=lambda one: one.pair.block)
    return replace(corpus, pairs=tuple(kept), untranslated=tuple(dropped))


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
    """True if both sides are the same and have words that are no names, numbers or initials."""
    # In this order: hardly any sentence is its own translation.
    return _folded(source) == _folded(target) and sum(map(_is_ordinary, source)) >= MIN_WORDS


def _is_ordinary(word: str) -> bool:
    return len(word) > 1 and word.isalpha() and not word[0].isupper()


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
    if _is_source_copied(both):
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


def _is_source_copied(both: Sequence[tuple[Words, Words]]) -> bool:
    """Judged by the long sentences; where there are none, only if all sentences are the same."""
    long = [each for each in both if len(each[0]) >= LONG]
    if long:
        return sum(is_copied(*each) for each in long) > MOSTLY * len(long)
    sides = [tuple(word for words in side for word in words) for side in zip(*both, strict=True)]
    return bool(both) and is_copied(*sides)


def language_of(words: Sequence[str], pair: LanguagePair) -> str | None:
    """Which of the two languages most samples of ``words`` are in; None if that cannot be told."""
    codes = {code.split("-")[0]: code for code in (pair.source, pair.target)}
    if len(codes) < 2 or sum(map(len, words)) < CHARACTERS_TO_TELL:
        return None
    votes = Counter(
        _classify(" ".join(words[start : start + WORDS_OF_A_SAMPLE]))
        for start in range(0, len(words), max(WORDS_OF_A_SAMPLE, len(words) // SAMPLES))
    )
    code, count = votes.most_common(1)[0]
    return codes.get(code) if count > MOSTLY * votes.total() else None


@lru_cache(maxsize=4 * SAMPLES)
def _classify(text: str) -> str:
    """Remembered, because every target language comes with the same source."""
    import py3langid

    language: str = py3langid.classify(text)[0]
    return language

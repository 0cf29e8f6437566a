"""Recovery of spans without links: names and numbers often stand in the translation as they are."""

from collections.abc import Collection, Sequence
from enum import StrEnum

from rapidfuzz import fuzz

from projection.records import Span
from projection.windows import Window

MIN_LETTERS = 3
"""Shorter surface forms match by chance."""
MIN_RATIO = 85.0
"""Similarity, 0 to 100, at which two surface forms are one name in two spellings."""


class Recovery(StrEnum):
    """How the words of a span that has no links are looked for in the translation."""

    NONE = "none"
    COPY = "copy"
    """The same words, in any case."""
    FUZZY = "fuzzy"
    """As many words that are spelled nearly the same."""


def find_copy(
    span: Span,
    source: Sequence[str],
    target: Sequence[str],
    how: Recovery,
    taken: Collection[int] = (),
) -> Window | None:
    """The window of ``target`` that repeats the words of ``span``; the first of equals.

    Args:
        span: Of ``source``.
        source: Words.
        target: Words of the translation.
        how: What counts as a repetition.
        taken: Target words that other spans have.

    >>> words = ["in", "Mailand"], ["a", "Mailandd", "oggi"]
    >>> find_copy(Span(1, 2, "LOC"), *words, Recovery.FUZZY)
    range(1, 2)
    """
    if how is Recovery.NONE:
        return None
    wanted = _form(source[span.start : span.end])
    if sum(map(str.isalnum, wanted)) < MIN_LETTERS:
        return None
    width = span.end - span.start
    best, found = (100.0 if how is Recovery.COPY else MIN_RATIO), None
    for start in range(len(target) - width + 1):
        window = range(start, start + width)
        ratio = fuzz.ratio(wanted, _form(target[start : start + width]))
        if ratio >= best and (found is None or ratio > best) and not set(window) & set(taken):
            best, found = ratio, window
    return found


def _form(words: Sequence[str]) -> str:
    """Case folded, punctuation at the edges off: it sticks to words in some tokenisations."""
    text = " ".join(words).casefold()
    return text.strip("".join(c for c in set(text) if not c.isalnum()))

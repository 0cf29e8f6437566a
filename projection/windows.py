"""Windows: the target words that a source span comes to lie on."""

from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Window = range
"""Target words ``[start, stop)``."""

CONTENT_LETTERS = 4
"""Shorter words are mostly articles and prepositions."""
REACH = 1
"""How many words :func:`most_similar_window` moves either end."""
MARGIN = 0.1
"""By how much the cosine of another window must be greater; with less, good windows are lost
(docs/results/projection.md)."""


def linked_window(links: Sequence[int], max_gap: int | None = None) -> Window:
    """The window over target words; ``links`` names a word once for every link that it has.

    With ``max_gap`` the words fall into runs that are at most so many words apart, and the run with
    most links is the window; of equals the longer, then the first.

    >>> linked_window([9, 2, 3, 3]), linked_window([9, 2, 3, 3], max_gap=2)
    (range(2, 10), range(2, 4))
    """
    if max_gap is None or len(links) == 1:
        return range(min(links), max(links) + 1)
    words = sorted(links)
    runs = [[words[0]]]
    for word in words[1:]:
        if word - runs[-1][-1] - 1 <= max_gap:
            runs[-1].append(word)
        else:
            runs.append([word])
    best = max(runs, key=lambda run: (len(run), len(set(run))))
    return range(best[0], best[-1] + 1)


def trim_punctuation(window: Window, tokens: Sequence[str]) -> Window:
    """``window`` without the words at its ends that hold no letter or digit, if others remain.

    >>> trim_punctuation(range(0, 4), ["«", "Río", "Ebro", ","])
    range(1, 3)
    """
    spoken = [word for word in window if any(map(str.isalnum, tokens[word]))]
    return range(spoken[0], spoken[-1] + 1) if spoken else window


def absorb_unlinked(
    window: Window, tokens: Sequence[str], linked: Collection[int], most: int
) -> Window:
    """``window`` with neighbours that have no link: what nobody is a translation of may well be the
    translation of what nobody translated.

    Args:
        window: Where the span was placed.
        tokens: Words of the translation.
        linked: The target words that have a link.
        most: Words taken in on either side, as many as the span has without a link; those of less
            than ``CONTENT_LETTERS`` letters do not count, and never become an end.

    >>> absorb_unlinked(range(1, 2), ["una", "sopa", "de", "cangrejo,", "por", "fin"], {0, 1}, 1)
    range(1, 4)
    """
    after = _taken_in(range(window.stop, len(tokens)), window.stop - 1, tokens, linked, most)
    before = _taken_in(range(window.start - 1, -1, -1), window.start, tokens, linked, most)
    return range(min([window.start, *before]), max([window.stop - 1, *after]) + 1)


def _taken_in(
    words: Iterable[int], last: int, tokens: Sequence[str], linked: Collection[int], most: int
) -> list[int]:
    """Words, going away from the word ``last`` of a window, up to the last content word."""
    run: list[int] = []
    taken = content = 0
    for word in words:
        left, right = sorted((last, word))
        if word in linked or not _goes_on(tokens[left], tokens[right]):
            break
        run.append(word)
        last = word
        if sum(map(str.isalnum, tokens[word])) >= CONTENT_LETTERS:
            content, taken = content + 1, len(run)
            if content == most:
                break
    return run[:taken]


def _goes_on(left: str, right: str) -> bool:
    """True if no punctuation stands between two neighbouring words, attached or as a word."""
    return left[-1].isalnum() and any(map(str.isalnum, right)) and right[0].isalnum()


def longest_word(words: Sequence[int], tokens: Sequence[str]) -> int:
    """The word with most characters, of equals the first: rarely an article or an auxiliary.

    >>> longest_word([0, 1], ["ha", "comido"])
    1
    """
    return max(words, key=lambda word: (len(tokens[word]), -word))


def most_similar_window(
    span: Window, window: Window, source: NDArray[np.float32], target: NDArray[np.float32]
) -> Window:
    """``window`` with either end moved by at most ``REACH`` to where it resembles ``span`` more.

    Args:
        span: Source words.
        window: Where the span was placed.
        source: Word vectors of the source sentence, ``(S, H)``.
        target: Of its translation, ``(T, H)``.

    Returns:
        The window whose mean vector has the greatest cosine with the mean vector of the span, if it
        is ``MARGIN`` above that of ``window``.
    """
    starts = range(max(0, window.start - REACH), window.start + REACH + 1)
    stops = range(window.stop - REACH, min(len(target), window.stop + REACH) + 1)
    windows = [range(start, stop) for start in starts for stop in stops if start < stop]
    wanted = _mean(source, span)
    cosines = [float(wanted @ _mean(target, each)) for each in windows]
    best = int(np.argmax(cosines))
    gained = cosines[best] - float(wanted @ _mean(target, window))
    return windows[best] if gained > MARGIN else window


def _mean(vectors: NDArray[np.float32], words: Window) -> NDArray[np.float32]:
    mean: NDArray[np.float32] = vectors[words.start : words.stop].mean(axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-6)

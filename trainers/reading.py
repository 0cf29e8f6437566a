"""How a model reads sentences: the pieces of every word, long sentences as overlapping excerpts,
batches of like lengths.

This module goes into exported models, so it imports nothing of xlwarm.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PIECES_PER_BATCH = 2048
"""Padded pieces that are read at once."""


@dataclass(frozen=True, slots=True)
class WordPieces:
    """Piece ids of one sentence: special ones before the words, each word's, special ones after."""

    before: list[int]
    of_word: list[list[int]]
    """At least one for every word."""
    after: list[int]


def word_pieces(
    ids: Sequence[int], word_ids: Sequence[int | None], num_words: int, unknown: int
) -> WordPieces:
    """Sort the pieces of a sentence by its words.

    A word that the tokenizer turns into nothing (a lone control character) becomes one ``unknown``
    piece, so that every word has a first piece.

    Args:
        ids: Of all pieces, special ones included.
        word_ids: The word of each piece, from 0; None for special ones.
        num_words: Words of the sentence.
        unknown: Id of the unknown piece.
    """
    of_word: list[list[int]] = [[] for _ in range(num_words)]
    before: list[int] = []
    after: list[int] = []
    seen = False
    for piece, word in zip(ids, word_ids, strict=True):
        if word is not None:
            of_word[word].append(piece)
            after.clear()
            seen = True
        elif seen:
            after.append(piece)
        else:
            before.append(piece)
    if not seen:
        # No piece of a word tells the two ends apart; one special piece stands before the words.
        before, after = before[:1], before[1:]
    return WordPieces(before, [pieces or [unknown] for pieces in of_word], after)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The words ``[start, end)`` of a sentence, read together; those of ``[first, last)`` get the
    tags that they have here."""

    start: int
    end: int
    first: int
    last: int


def excerpts(lengths: Sequence[int], room: int, overlap: int) -> list[Excerpt]:
    """Cover a sentence with excerpts of at most ``room`` pieces.

    Neighbours share up to ``overlap`` pieces of whole words, and part in the middle of them, where
    either side has context. Every word is in ``[first, last)`` of exactly one excerpt. A word that
    is longer than ``room`` counts as ``room`` pieces: its first ones are read.

    Args:
        lengths: Pieces of every word.
        room: Pieces of an excerpt, at least 1.
        overlap: Less than ``room``.

    >>> excerpts([1, 1, 1, 1], room=3, overlap=2)
    [Excerpt(start=0, end=3, first=0, last=2), Excerpt(start=1, end=4, first=2, last=4)]
    """
    ends = np.cumsum([0, *(min(length, room) for length in lengths)])
    found: list[Excerpt] = []
    start = first = 0
    while True:
        end = int(np.searchsorted(ends, ends[start] + room, side="right")) - 1
        if end >= len(lengths):
            return [*found, Excerpt(start, len(lengths), first, len(lengths))]
        # So far back as `overlap` goes, if the next word then still fits.
        reach = max(ends[end] - overlap, ends[end + 1] - room)
        following = max(int(np.searchsorted(ends, reach)), start + 1)
        seam = (following + end + 1) // 2
        found.append(Excerpt(start, end, first, seam))
        start, first = following, seam


def batches_by_length(lengths: NDArray[np.int64], pieces_per_batch: int) -> list[NDArray[np.int64]]:
    """Numbers of all sentences, shortest first, in batches of so many padded pieces or of one."""
    order = np.argsort(lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        stop = start + 1
        while (
            stop < len(order) and (stop + 1 - start) * int(lengths[order[stop]]) <= pieces_per_batch
        ):
            stop += 1
        batches.append(order[start:stop])
        start = stop
    return batches

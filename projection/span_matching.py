"""What became of every gold span of a corpus, by the predicted span that it shares most words with.

The same questions as :func:`~projection.scoring.span_errors` asks of one sentence, asked from the
gold side and of a whole corpus at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from projection.span_arrays import Ints, SpanArrays


class Fate(IntEnum):
    """Of a gold span; every gold span has exactly one."""

    RIGHT = 0
    """Predicted with its words and its label."""
    BOUNDARY = 1
    """The label is right, the words are others."""
    LABEL = 2
    """The words are right, the label is another."""
    BOTH = 3
    """Both are wrong, but some word is shared."""
    MISSED = 4
    """No predicted span shares a word with it."""


class Edge(IntEnum):
    """How the predicted span lies to a gold one whose words it has not exactly."""

    TOO_LONG = 0
    TOO_SHORT = 1
    SHIFTED = 2
    """Words too many at one end, too few at the other."""


FATES: Mapping[Fate, str] = {
    Fate.RIGHT: "right",
    Fate.BOUNDARY: "wrong boundary",
    Fate.LABEL: "wrong label",
    Fate.BOTH: "both wrong",
    Fate.MISSED: "missed",
}
EDGES: Mapping[Edge, str] = {
    Edge.TOO_LONG: "too long",
    Edge.TOO_SHORT: "too short",
    Edge.SHIFTED: "shifted",
}


@dataclass(frozen=True)
class Matching:
    """Gold and predicted spans of the same sentences, G and P of them.

    Raises:
        ValueError: The sentences have not the same numbers of words.
    """

    gold: SpanArrays
    predicted: SpanArrays

    def __post_init__(self) -> None:
        if not np.array_equal(self.gold.lengths, self.predicted.lengths):
            raise ValueError(
                f"gold and predicted sentences differ: {len(self.gold.lengths)} with "
                f"{self.gold.lengths.sum()} words, {len(self.predicted.lengths)} with "
                f"{self.predicted.lengths.sum()}"
            )

    @cached_property
    def _meetings(self) -> tuple[Ints, Ints, Ints]:
        """Pairs of a gold and a predicted span that share words, and how many."""
        gold, predicted = self.gold.owners(), self.predicted.owners()
        shared = (gold >= 0) & (predicted >= 0)
        width = max(1, len(self.predicted))
        keys, words = np.unique(gold[shared] * width + predicted[shared], return_counts=True)
        return keys // width, keys % width, words

    @cached_property
    def nearest(self) -> Ints:
        """Of every gold span the predicted one that shares most words with it, the first of
        several; -1 if none does, ``(G,)``.
        """
        gold, predicted, words = self._meetings
        order = np.lexsort((predicted, -words, gold))
        first = np.unique(gold[order], return_index=True)
        nearest = np.full(len(self.gold), -1, dtype=np.int64)
        nearest[first[0]] = predicted[order][first[1]]
        return nearest

    @cached_property
    def fates(self) -> Ints:
        """Of every gold span its :class:`Fate`, ``(G,)``."""
        met, gold, near = self._met()
        fates = np.full(len(self.gold), int(Fate.MISSED), dtype=np.int64)
        same_words = (gold[0] == near[0]) & (gold[1] == near[1])
        same_label = gold[2] == near[2]
        fates[met] = np.select(
            [same_words & same_label, same_label, same_words],
            [int(Fate.RIGHT), int(Fate.BOUNDARY), int(Fate.LABEL)],
            int(Fate.BOTH),
        )
        return fates

    @property
    def edges(self) -> Ints:
        """How many spans with a wrong boundary, whatever their label, are of each :class:`Edge`,
        ``(3,)``.
        """
        _, gold, near = self._met()
        longer = (near[0] <= gold[0]) & (near[1] >= gold[1])
        shorter = (near[0] >= gold[0]) & (near[1] <= gold[1])
        kinds = np.select([longer, shorter], [int(Edge.TOO_LONG), int(Edge.TOO_SHORT)], 2)
        return np.bincount(kinds[~(longer & shorter)], minlength=len(Edge))

    @cached_property
    def spurious(self) -> NDArray[np.bool_]:
        """True for predicted spans that share no word with a gold one, ``(P,)``."""
        spurious = np.ones(len(self.predicted), dtype=bool)
        spurious[self._meetings[1]] = False
        return spurious

    def confusion(self, labels: int) -> Ints:
        """Gold spans by their label and that of the predicted span nearest to each.

        Args:
            labels: How many there are.

        Returns:
            ``(labels + 1, labels + 1)``: a row a gold label, its last number those missed; the
            last row has the spurious predicted spans. Boundaries do not matter here.
        """
        counts = np.zeros((labels + 1, labels + 1), dtype=np.int64)
        found = np.append(self.predicted.label, labels)[self.nearest]
        np.add.at(counts, (self.gold.label, found), 1)
        counts[labels, :labels] = np.bincount(self.predicted.label[self.spurious], minlength=labels)
        return counts

    def _met(self) -> tuple[NDArray[np.bool_], list[Ints], list[Ints]]:
        """Which gold spans are met; start, end and label of those, and of what meets them."""
        met = self.nearest >= 0
        near = self.nearest[met]
        gold = [column[met] for column in (self.gold.start, self.gold.end, self.gold.label)]
        columns = (self.predicted.start, self.predicted.end, self.predicted.label)
        return met, gold, [column[near] for column in columns]

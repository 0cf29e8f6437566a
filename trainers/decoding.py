"""From tag scores to tags: word by word, or the best sequence that the tag scheme allows.

This module goes into exported models: of xlwarm it imports only modules that go there, too.

Shape letters: S sentences, N words of all sentences one after another, L tags, A sentences that
have a word at the place that is looked at.
"""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from projection.schemes import OUTSIDE, TagScheme, may_follow


class Decoding(StrEnum):
    """How tags are chosen by their scores."""

    ARGMAX = "argmax"
    """The best tag of each word for itself, as in the paper; broken chunks are no spans."""
    CONSTRAINED = "constrained"
    """The sequence of the highest probability among those that the tag scheme allows (Viterbi)."""


class Decoder:
    """Chooses tags.

    Args:
        tags: In the order of the scores; ``O`` is one of them.
        scheme: Of the tags.
        decoding: How.
    """

    def __init__(self, tags: Sequence[str], scheme: TagScheme, decoding: Decoding) -> None:
        allowed = [[may_follow(before, tag, scheme) for tag in tags] for before in tags]
        self._follow_LL = np.where(allowed, 0.0, -np.inf)
        self._outside = list(tags).index(OUTSIDE)
        self._is_free = decoding is Decoding.ARGMAX or bool(np.all(allowed))

    def __call__(
        self, scores_NL: NDArray[np.float32], lengths_S: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Tag ids of every word, ``(N,)``.

        Args:
            scores_NL: Finite; logarithms of probabilities up to a constant a word.
            lengths_S: Words of every sentence; their sum is N.
        """
        if self._is_free or not len(scores_NL):
            best_N: NDArray[np.int64] = scores_NL.argmax(axis=1)
            return best_N
        order_S = np.argsort(-lengths_S, kind="stable")
        starts_S = (np.cumsum(lengths_S) - lengths_S)[order_S]
        active = [int((lengths_S > place).sum()) for place in range(int(lengths_S.max()))]
        best_SL = scores_NL[starts_S[: active[0]]] + self._follow_LL[self._outside]
        before_NL = np.zeros(scores_NL.shape, dtype=np.int16)
        for place, count in list(enumerate(active))[1:]:
            rows_A = starts_S[:count] + place
            through_ALL = best_SL[:count, :, None] + self._follow_LL
            before_NL[rows_A] = through_ALL.argmax(axis=1)
            best_SL[:count] = through_ALL.max(axis=1) + scores_NL[rows_A]
        tags_A = (best_SL + self._follow_LL[:, self._outside]).argmax(axis=1)
        chosen_N = np.empty(len(scores_NL), dtype=np.int64)
        for place, count in reversed(list(enumerate(active))):
            rows_A = starts_S[:count] + place
            chosen_N[rows_A] = tags_A[:count]
            tags_A[:count] = before_NL[rows_A, tags_A[:count]]
        return chosen_N

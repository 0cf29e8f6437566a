"""What every aligner is, and the links of two directions made one."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from projection.aligners.settings import Symmetrization
from projection.parallel import ParallelCorpus, Words
from projection.records import Alignment

if TYPE_CHECKING:
    from thot.common import WordAlignmentMatrix

Matrix = NDArray[np.float32]
"""Numbers for every source word (rows) and target word (columns) of a pair."""

EmbedWords = Callable[[Sequence[Words]], list[Matrix]]
"""Vectors of unit length for the words of every sentence, ``(words, width)``; zeros for a word that
the encoder cannot read."""


class Aligner(Protocol):
    """Aligns all pairs of a corpus at once; statistical aligners train on just these pairs."""

    def align(self, corpus: ParallelCorpus) -> list[Alignment]:
        """One alignment for each pair of ``corpus``, in its order."""


def links(matrix: NDArray[np.generic]) -> Alignment:
    """The pairs ``(i, j)`` at which ``matrix`` is not zero."""
    rows, columns = np.nonzero(matrix)
    return Alignment(zip(rows.tolist(), columns.tolist(), strict=True))


def symmetrize(
    forward: Iterable[tuple[int, int]],
    backward: Iterable[tuple[int, int]],
    shape: tuple[int, int],
    how: Symmetrization,
) -> Alignment:
    """Combine the links of two directions, both given as (source, target) (Och and Ney 2003)."""
    combine = {
        Symmetrization.UNION: "union",
        Symmetrization.INTERSECTION: "intersect",
        Symmetrization.GROW_DIAG: "grow_diag",
        Symmetrization.GROW_DIAG_FINAL: "grow_diag_final",
        Symmetrization.GROW_DIAG_FINAL_AND: "grow_diag_final_and",
    }
    if how is Symmetrization.FORWARD:
        return Alignment(forward)
    if how is Symmetrization.BACKWARD:
        return Alignment(backward)
    matrix, other = _as_matrix(forward, shape), _as_matrix(backward, shape)
    getattr(matrix, combine[how])(other)
    return links(matrix.to_numpy())


def _as_matrix(pairs: Iterable[tuple[int, int]], shape: tuple[int, int]) -> "WordAlignmentMatrix":
    from thot.common import WordAlignmentMatrix

    matrix = WordAlignmentMatrix(*shape)
    for i, j in pairs:
        matrix.set(i, j)
    return matrix

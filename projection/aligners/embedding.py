"""Alignment by the similarity of word vectors, without training (Jalili Sabet et al. 2020)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from projection.aligners.base import EmbedWords, Matrix, links
from projection.aligners.settings import AlignmentSettings, Extraction
from projection.parallel import ParallelCorpus, TranslatedPair
from projection.records import Alignment

PAIRS_AT_ONCE = 512
"""Pairs whose word vectors are in memory together."""
ITERATIONS = 3
"""Of itermax."""
DAMPING = 0.9
"""What the similarity of a word that has a link already counts in a later iteration."""


class EmbeddingAligner:
    """Links words whose vectors are similar.

    Args:
        embed: Vectors of the words of sentences.
        settings: How links are extracted.
    """

    def __init__(self, embed: EmbedWords, settings: AlignmentSettings) -> None:
        self._embed = embed
        self._extract = EXTRACTIONS[settings.extract]

    def align(self, corpus: ParallelCorpus) -> list[Alignment]:
        """Compare every source word with every target word of its pair."""
        return [links(self._extract(each)) for each in similarities(self._embed, corpus.pairs)]


def similarities(embed: EmbedWords, pairs: Sequence[TranslatedPair]) -> Iterator[Matrix]:
    """Cosine of every source and target word of each pair, -1 to 1; 0 where one has no vector."""
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        some = pairs[start : start + PAIRS_AT_ONCE]
        sources = embed([pair.source for pair in some])
        targets = embed([pair.target for pair in some])
        for source, target in zip(sources, targets, strict=True):
            yield source @ target.T


def argmax(similarity: Matrix) -> Matrix:
    """1 where source and target word are each other's most similar one, and are similar at all."""
    best_of_row = similarity == similarity.max(axis=1, keepdims=True)
    best_of_column = similarity == similarity.max(axis=0, keepdims=True)
    found: Matrix = (best_of_row & best_of_column & (similarity > 0)).astype(np.float32)
    return found


def itermax(similarity: Matrix) -> Matrix:
    """:func:`argmax`, then again among words of which at least one has no link yet.

    >>> similarity = np.array([[0.9, 0.8], [0.1, 0.2]], dtype=np.float32)
    >>> argmax(similarity).tolist(), itermax(similarity).tolist()
    ([[1.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 1.0]])
    """
    found = argmax(similarity)
    for _ in range(ITERATIONS - 1):
        row, column = found.max(axis=1, keepdims=True), found.max(axis=0, keepdims=True)
        # 1 for two words without links, DAMPING if one has a link, 0 if both have.
        damping = (1 - row * column) * DAMPING ** (row + column)
        found = np.maximum(found, argmax(similarity * damping))
    return found


def match(similarity: Matrix) -> Matrix:
    """The one-to-one matching of the greatest total similarity (Hungarian method)."""
    from scipy.optimize import linear_sum_assignment  # half a second, and every worker imports this

    rows, columns = linear_sum_assignment(similarity, maximize=True)
    found = np.zeros_like(similarity)
    found[rows, columns] = similarity[rows, columns] > 0
    return found


EXTRACTIONS: Mapping[Extraction, Callable[[Matrix], Matrix]] = MappingProxyType(
    {Extraction.ARGMAX: argmax, Extraction.ITERMAX: itermax, Extraction.MATCH: match}
)

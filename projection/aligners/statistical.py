"""Statistical aligners of the ``sil-thot`` library, trained on the pairs that they align."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from projection.aligners.base import Matrix, links
from projection.aligners.keys import Pair, key_pairs, training_text
from projection.aligners.settings import AlignmentKeys, AlignmentSettings, Symmetrization
from projection.parallel import ParallelCorpus, TextPair
from projection.records import Alignment

if TYPE_CHECKING:
    from thot.alignment import AlignmentModel
    from thot.common import WordAlignmentMatrix

TrainModel = Callable[[Sequence[Pair]], "AlignmentModel"]
"""Train one direction on pairs of alignment keys."""


class StatisticalAligner:
    """A model trained in both directions on the pairs it aligns, and on extra text if given.

    Deterministic: the EM models draw nothing and the eflomal sampler is seeded. Of a sentence
    longer than the model can take (200 words for ``hmm``, 1,024 for the others) the words beyond
    get no links.

    Args:
        train: Trains one direction.
        settings: Keys, symmetrisation, anchors.
        extra: More parallel text, which is trained on but not aligned.
    """

    def __init__(
        self, train: TrainModel, settings: AlignmentSettings, extra: Sequence[TextPair] = ()
    ) -> None:
        self._train = train
        self._settings = settings
        self._extra = extra

    def align(self, corpus: ParallelCorpus) -> list[Alignment]:
        """Train forward and backward on the pairs, then symmetrise the best alignments."""
        direct, inverse, pairs = self._models(corpus, AlignmentKeys.SURFACE)
        how = self._settings.symmetrize
        if how in (Symmetrization.FORWARD, Symmetrization.BACKWARD):
            forward = how is Symmetrization.FORWARD
            found = _best(direct, pairs) if forward else _inverted(inverse, pairs)
        else:
            found = _symmetrized(direct, inverse, pairs, how)
        return [links(matrix) for matrix in found]

    def directions(self, corpus: ParallelCorpus) -> tuple[list[Matrix], list[Matrix]]:
        """Links of either direction as matrices of 0 and 1, source by target; folded keys."""
        direct, inverse, pairs = self._models(corpus, AlignmentKeys.FOLDED)
        return _best(direct, pairs), _inverted(inverse, pairs)

    def _models(
        self, corpus: ParallelCorpus, default: AlignmentKeys
    ) -> tuple["AlignmentModel", "AlignmentModel", list[Pair]]:
        pairs = key_pairs(corpus.texts, self._settings, default)
        text = training_text(pairs, self._extra, self._settings, default)
        inverted = [(target, source) for source, target in text]
        return self._train(text), self._train(inverted), pairs


def _readable(model: "AlignmentModel", pairs: Sequence[Pair]) -> tuple[list[list[str]], ...]:
    limit = model.max_sentence_length - 1
    return [source[:limit] for source, _ in pairs], [target[:limit] for _, target in pairs]


def _best(model: "AlignmentModel", pairs: Sequence[Pair]) -> list[Matrix]:
    found = model.get_best_alignments(*_readable(model, pairs))
    return [_whole(matrix, pair) for (_, matrix), pair in zip(found, pairs, strict=True)]


def _inverted(model: "AlignmentModel", pairs: Sequence[Pair]) -> list[Matrix]:
    found = _best(model, [(target, source) for source, target in pairs])
    return [matrix.T for matrix in found]


def _symmetrized(
    direct: "AlignmentModel",
    inverse: "AlignmentModel",
    pairs: Sequence[Pair],
    how: Symmetrization,
) -> list[Matrix]:
    from thot.alignment import SymmetrizationHeuristic, SymmetrizedAligner

    both = SymmetrizedAligner(direct, inverse)
    both.heuristic = getattr(SymmetrizationHeuristic, how.name)
    found = both.get_best_alignments(*_readable(direct, pairs))
    return [_whole(matrix, pair) for (_, matrix), pair in zip(found, pairs, strict=True)]


def _whole(matrix: "WordAlignmentMatrix", pair: Pair) -> Matrix:
    """As numbers, with rows and columns for the words that the model could not take."""
    found = matrix.to_numpy().astype(np.float32)
    whole = np.zeros((len(pair[0]), len(pair[1])), dtype=np.float32)
    whole[: found.shape[0], : found.shape[1]] = found
    return whole


def _run(model: "AlignmentModel", pairs: Sequence[Pair], iterations: int) -> None:
    for source, target in pairs:
        model.add_sentence_pair(source, target)
    model.start_training()
    for _ in range(iterations):
        model.train()
    model.end_training()


def _fast_align(pairs: Sequence[Pair]) -> "AlignmentModel":
    from thot.alignment import FastAlignModel

    model = FastAlignModel()
    _run(model, pairs, iterations=5)
    return model


def _ibm1(pairs: Sequence[Pair]) -> "AlignmentModel":
    from thot.alignment import Ibm1AlignmentModel

    model = Ibm1AlignmentModel()
    _run(model, pairs, iterations=5)
    return model


def _hmm(pairs: Sequence[Pair]) -> "AlignmentModel":
    """Five iterations of IBM-1, then five of the HMM (Och and Ney 2003's first two stages)."""
    from thot.alignment import HmmAlignmentModel, Ibm1AlignmentModel

    lexicon = Ibm1AlignmentModel()
    _run(lexicon, pairs, iterations=5)
    model = HmmAlignmentModel(lexicon)
    _run(model, pairs, iterations=5)
    return model


EFLOMAL_ITERATIONS = (8, 8, 32)
"""Gibbs iterations with the IBM-1, HMM and fertility models, the library's own schedule."""


def _eflomal(pairs: Sequence[Pair]) -> "AlignmentModel":
    from thot.alignment import EflomalAlignmentModel

    model = EflomalAlignmentModel()
    model.deterministic = True
    model.seed = 1
    # Stopping short of the sampler's own schedule would leave it in the middle of its burn-in.
    model.auto_iterations = False
    model.set_iterations(*EFLOMAL_ITERATIONS)
    _run(model, pairs, iterations=sum(EFLOMAL_ITERATIONS))
    return model


STATISTICAL: Mapping[str, TrainModel] = MappingProxyType(
    {"fast_align": _fast_align, "eflomal": _eflomal, "hmm": _hmm, "ibm1": _ibm1}
)

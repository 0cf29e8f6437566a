"""Word aligners behind one protocol: sentence pairs in, one alignment a pair out."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import numpy as np
from pydantic import BaseModel, Field

from projection.errors import InputError
from projection.parallel import ParallelCorpus, read_pharaoh
from projection.records import Alignment

if TYPE_CHECKING:
    from thot.alignment import AlignmentModel
    from thot.common import WordAlignmentMatrix


class AlignmentKeys(StrEnum):
    """What statistical aligners count as the same word."""

    SURFACE = "surface"
    """The word as it stands."""
    FOLDED = "folded"
    """Lower-cased, punctuation at its edges removed."""


class Symmetrization(StrEnum):
    """How the links of the two directions are combined."""

    UNION = "union"
    INTERSECTION = "intersection"
    GROW_DIAG = "grow-diag"
    GROW_DIAG_FINAL = "grow-diag-final"
    GROW_DIAG_FINAL_AND = "grow-diag-final-and"


class AlignmentSettings(BaseModel, frozen=True, extra="forbid"):
    """Settings of the statistical aligners."""

    keys: AlignmentKeys = AlignmentKeys.SURFACE
    symmetrize: Symmetrization = Symmetrization.GROW_DIAG_FINAL_AND
    anchors: int = Field(default=0, ge=0)
    """How often a word that stands on both sides of a pair is added as a pair of its own.

    Names that a translation keeps then align with themselves; it helps most on small corpora.
    """


class Aligner(Protocol):
    """Aligns all pairs of a corpus at once; statistical aligners train on just these pairs."""

    def align(self, corpus: ParallelCorpus) -> list[Alignment]:
        """One alignment for each pair of ``corpus``, in its order."""


class PharaohFile:
    """Alignments that somebody made before, one line a block."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def align(self, corpus: ParallelCorpus) -> list[Alignment]:
        """Read line k for block k.

        Raises:
            InputError: As :func:`~projection.parallel.read_pharaoh`.
        """
        return read_pharaoh(self._path, corpus)


Pair = tuple[list[str], list[str]]
TrainModel = Callable[[Sequence[Pair]], "AlignmentModel"]
"""Train one direction on pairs of alignment keys."""


class StatisticalAligner:
    """A model of the ``sil-thot`` library, trained in both directions on the pairs it aligns.

    Deterministic: the EM models draw nothing and the eflomal sampler is seeded.
    """

    def __init__(self, train: TrainModel, settings: AlignmentSettings) -> None:
        self._train = train
        self._settings = settings

    def align(self, corpus: ParallelCorpus) -> list[Alignment]:
        """Train forward and backward on the pairs, then symmetrise the best alignments."""
        from thot.alignment import SymmetrizationHeuristic, SymmetrizedAligner

        keys = self._settings.keys
        sources = [alignment_keys(pair.source, keys) for pair in corpus.pairs]
        targets = [alignment_keys(pair.target, keys) for pair in corpus.pairs]
        pairs = list(zip(sources, targets, strict=True))
        pairs += anchor_pairs(pairs) * self._settings.anchors
        both = SymmetrizedAligner(
            self._train(pairs), self._train([(target, source) for source, target in pairs])
        )
        heuristic = self._settings.symmetrize.name
        both.heuristic = getattr(SymmetrizationHeuristic, heuristic)
        return [_links(matrix) for _, matrix in both.get_best_alignments(sources, targets)]


def anchor_pairs(pairs: Sequence[Pair]) -> list[Pair]:
    """One pair of one word each for every word that stands on both sides of a pair.

    >>> anchor_pairs([(["visit", "oslo"], ["besuch", "oslo"])])
    [(['oslo'], ['oslo'])]
    """
    return [
        ([word], [word])
        for source, target in pairs
        for word in sorted(set(source).intersection(target))
    ]


def _links(matrix: "WordAlignmentMatrix") -> Alignment:
    return Alignment((int(i), int(j)) for i, j in np.argwhere(matrix.to_numpy()))


def alignment_keys(tokens: Sequence[str], keys: AlignmentKeys) -> list[str]:
    """What the aligner sees instead of ``tokens``; the words themselves stay as they are.

    >>> alignment_keys(["The", "U.S.", "."], AlignmentKeys.FOLDED)
    ['the', 'u.s', '.']
    """
    if keys is AlignmentKeys.SURFACE:
        return list(tokens)
    return [_folded(token) for token in tokens]


def _folded(token: str) -> str:
    lowered = token.lower()
    inner = lowered.strip("".join(c for c in set(lowered) if not _is_letter_or_digit(c)))
    return inner or lowered


def _is_letter_or_digit(character: str) -> bool:
    """True for combining marks too: they are the vowels of Hindi and the accents of NFD."""
    return character.isalnum() or unicodedata.category(character).startswith("M")


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
PHARAOH = "pharaoh"


def split_aligner(text: str) -> tuple[str, str]:
    """``"pharaoh:links.talp"`` as its name and its path; other aligners have an empty path.

    Raises:
        InputError: No such aligner, or a Pharaoh aligner without a path.
    """
    name, _, path = text.partition(":")
    if (name == PHARAOH and path) or (name in STATISTICAL and not path):
        return name, path
    known = ", ".join(STATISTICAL)
    raise InputError(f"unknown aligner {text!r}; known: {known}, {PHARAOH}:PATH")


def make_aligner(name: str, settings: AlignmentSettings, path: Path | None = None) -> Aligner:
    """The aligner called ``name``; ``path`` is the file that ``pharaoh`` reads."""
    if name == PHARAOH and path is not None:
        return PharaohFile(path)
    return StatisticalAligner(STATISTICAL[name], settings)

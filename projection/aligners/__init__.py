"""Word aligners behind one protocol: sentence pairs in, one alignment a pair out."""

from collections.abc import Sequence
from pathlib import Path

from projection.aligners.base import Aligner, EmbedWords
from projection.aligners.combined import BestAligner, SecondOpinion
from projection.aligners.embedding import EmbeddingAligner
from projection.aligners.programs import PROGRAMS, ProgramAligner, SystranAligner
from projection.aligners.settings import AlignmentSettings
from projection.aligners.statistical import STATISTICAL, StatisticalAligner
from projection.errors import InputError
from projection.parallel import ParallelCorpus, TextPair, read_pharaoh
from projection.records import Alignment

__all__ = [
    "PHARAOH",
    "Aligner",
    "AlignmentSettings",
    "EmbedWords",
    "PharaohFile",
    "make_aligner",
    "needs_encoder",
    "split_aligner",
]

BEST, EMBEDDING, SYSTRAN, PHARAOH, PROGRAM = "best", "embedding", "systran", "pharaoh", "program"
PLAIN = (*STATISTICAL, EMBEDDING, BEST, SYSTRAN)
"""Aligners that are named without anything after the name."""


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


def split_aligner(text: str) -> tuple[str, str]:
    """``"pharaoh:links.talp"`` or ``"program:eflomal"`` as its two parts; others have no second.

    Raises:
        InputError: No such aligner, or a Pharaoh aligner without a path.
    """
    name, _, rest = text.partition(":")
    known_program = name == PROGRAM and rest in PROGRAMS
    if (name == PHARAOH and rest) or known_program or (name in PLAIN and not rest):
        return name, rest
    programs = [f"{PROGRAM}:{one}" for one in PROGRAMS]
    known = ", ".join([*PLAIN, *programs])
    raise InputError(f"unknown aligner {text!r}; known: {known}, {PHARAOH}:PATH")


def needs_encoder(aligner: str, settings: AlignmentSettings) -> bool:
    """True if the aligner, or its second opinion, compares word vectors."""
    return not {aligner, settings.second}.isdisjoint((EMBEDDING, BEST))


def make_aligner(
    aligner: str,
    settings: AlignmentSettings,
    *,
    embed: EmbedWords | None = None,
    extra: Sequence[TextPair] = (),
) -> Aligner:
    """The aligner called ``aligner``, as :func:`split_aligner` takes it.

    Args:
        aligner: Its name.
        settings: Of all aligners; each reads what concerns it.
        embed: Word vectors, if :func:`needs_encoder` says so.
        extra: More parallel text, which statistical aligners train on too.

    Raises:
        InputError: No such aligner, or settings that it cannot honour.
    """
    first = _make(aligner, settings, embed, extra)
    if settings.second is None:
        return first
    second = _make(settings.second, settings, embed, extra)
    return SecondOpinion(first, second, settings.vote)


def _make(
    aligner: str,
    settings: AlignmentSettings,
    embed: EmbedWords | None,
    extra: Sequence[TextPair],
) -> Aligner:
    name, rest = split_aligner(aligner)
    if name == PHARAOH:
        return PharaohFile(Path(rest))
    if name == PROGRAM:
        return ProgramAligner(rest, settings, extra)
    if name == SYSTRAN:
        return SystranAligner(settings, extra)
    if name in STATISTICAL:
        return StatisticalAligner(STATISTICAL[name], settings, extra)
    if embed is None:
        raise ValueError(f"the aligner {name} needs word vectors")
    if name == EMBEDDING:
        return EmbeddingAligner(embed, settings)
    statistical = StatisticalAligner(STATISTICAL["eflomal"], settings, extra)
    return BestAligner(embed, statistical, settings)

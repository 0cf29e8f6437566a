"""Labelled corpora of every format behind one function; files joined, and a file split in two."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

import numpy as np

from projection.chunks import read_chunks
from projection.columns import read_columns
from projection.propbank import read_propbank
from projection.records import Corpus
from projection.semeval import read_semeval

ReadCorpus = Callable[[Path, str, Sequence[str], str], Corpus]
"""From a file, its language, the labels that may occur (empty for any) and its encoding."""


class Format(StrEnum):
    """How a labelled corpus is written down."""

    COLUMNS = "columns"
    """CoNLL columns with boundary marks: IOB1, IOB2, BIOES."""
    CHUNKS = "chunks"
    """Columns with labels but no boundary marks."""
    PROPBANK = "propbank"
    """Universal PropBank: CoNLL-U with rolesets and arguments."""
    SEMEVAL = "semeval"
    """SemEval-2016 Task 5 XML."""


def _columns(path: Path, language: str, labels: Sequence[str], encoding: str) -> Corpus:
    return read_columns(path, language, labels=labels, encoding=encoding).corpus


FORMATS: Mapping[Format, ReadCorpus] = MappingProxyType(
    {
        Format.COLUMNS: _columns,
        Format.CHUNKS: read_chunks,
        Format.PROPBANK: read_propbank,
        Format.SEMEVAL: read_semeval,
    }
)


def read_corpus(
    paths: Sequence[Path],
    language: str,
    form: Format = Format.COLUMNS,
    *,
    labels: Sequence[str] = (),
    encoding: str = "utf-8",
) -> Corpus:
    """The labelled corpus in one or several files, one after another.

    Args:
        paths: At least one; sentences of the second file have ids that end in ``@2``, and so on.
        language: Put on every sentence.
        form: How the files are written.
        labels: The labels of the task; empty for any.
        encoding: Of the text.

    Raises:
        InputError: The first thing that is wrong, with file and line.
    """
    return join([FORMATS[form](path, language, labels, encoding) for path in paths])


def join(corpora: Sequence[Corpus]) -> Corpus:
    """All blocks and sentences of ``corpora``, in order."""
    if len(corpora) == 1:
        return corpora[0]
    first_block = np.cumsum([0, *(len(one.blocks) for one in corpora)]).tolist()
    left_out: Counter[str] = Counter()
    for one in corpora:
        left_out.update(one.left_out)
    return Corpus(
        corpora[0].language,
        tuple(
            replace(sentence, id=f"{sentence.id}@{number}") if number > 1 else sentence
            for number, one in enumerate(corpora, start=1)
            for sentence in one.sentences
        ),
        tuple(block for one in corpora for block in one.blocks),
        tuple(
            start + block
            for start, one in zip(first_block, corpora, strict=False)
            for block in one.block_of
        ),
        left_out,
    )


class Side(StrEnum):
    """One of the two parts that a corpus is split in."""

    TRAIN = "train"
    DEV = "dev"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a corpus that is split by chance, as the paper does for ABSA (A.2).

    Args:
        side: Which of the two.
        dev_share: Share of the labelled blocks that are the dev set, over 0 and under 1.
        seed: Of the draw.
    """

    side: Side
    dev_share: float
    seed: int


def take(corpus: Corpus, part: Part) -> Corpus:
    """The sentences of one part; blocks stay as they are, so translations stay parallel.

    All sentences of a block fall to one side.
    """
    labelled = sorted(set(corpus.block_of))
    drawn = np.random.default_rng(part.seed).permutation(len(labelled))
    dev = {labelled[k] for k in drawn[: round(part.dev_share * len(labelled))]}
    chosen = [k for k, b in enumerate(corpus.block_of) if (b in dev) == (part.side is Side.DEV)]
    return replace(
        corpus,
        sentences=tuple(corpus.sentences[k] for k in chosen),
        block_of=tuple(corpus.block_of[k] for k in chosen),
    )

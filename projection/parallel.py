"""Existing translations, block-parallel to a labelled source file, and their word alignments."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from projection.columns import DOCSTART, Block, read_blocks, read_text
from projection.errors import InputError, at_line
from projection.records import Alignment, Sentence


@dataclass(frozen=True, slots=True)
class TranslatedPair:
    """A gold source sentence, its unlabelled translation (same id) and its block number, from 0."""

    block: int
    source: Sentence
    target: Sentence


@dataclass(frozen=True, slots=True)
class ParallelCorpus:
    """Pairs in file order, and how many blocks the files have, ``-DOCSTART-`` included."""

    pairs: tuple[TranslatedPair, ...]
    num_blocks: int


def read_translation(
    source_path: Path,
    source_sentences: Sequence[Sentence],
    path: Path,
    language: str,
    *,
    source_encoding: str = "utf-8",
    encoding: str = "utf-8",
) -> ParallelCorpus:
    """Pair the sentences of ``source_path`` with the blocks of its translation.

    Block k of the one translates block k of the other. ``-DOCSTART-`` blocks are told by the source
    side alone, because translators turn the marker into ordinary words.

    Args:
        source_path: Labelled column file.
        source_sentences: What :func:`~projection.columns.read_columns` read from it.
        path: Either a column file (its tags are ignored) or one tokenised sentence a line.
        language: Of the translation.
        source_encoding: Of ``source_path``.
        encoding: Of ``path``.

    Raises:
        InputError: The numbers of blocks differ, or a translation is empty.
    """
    source_blocks = read_blocks(source_path, source_encoding)
    targets = _read_target_tokens(path, len(source_blocks), encoding)
    if len(targets) != len(source_blocks):
        docstarts = sum(block.is_docstart for block in source_blocks)
        raise InputError(
            f"{path}: expected {len(source_blocks)} blocks, one for each block of {source_path} "
            f"({docstarts} {DOCSTART} among them), got {len(targets)}"
        )
    return _paired(source_blocks, source_sentences, targets, path, language)


def _read_target_tokens(
    path: Path, num_blocks: int, encoding: str
) -> list[tuple[int, tuple[str, ...]]]:
    """First line and words of every block; plain text if it has just one line a block."""
    lines = read_text(path, encoding).removesuffix("\n").split("\n")
    if len(lines) == num_blocks:
        return [(k, tuple(line.split())) for k, line in enumerate(lines, start=1)]
    if all(line.strip() for line in lines):
        raise InputError(
            f"{path}: expected {num_blocks} lines, one sentence for each block of the source, "
            f"got {len(lines)}"
        )
    return [(block.line, block.tokens) for block in read_blocks(path, encoding)]


def _paired(
    source_blocks: Sequence[Block],
    source_sentences: Sequence[Sentence],
    targets: Sequence[tuple[int, tuple[str, ...]]],
    path: Path,
    language: str,
) -> ParallelCorpus:
    kept = [k for k, block in enumerate(source_blocks) if not block.is_docstart]
    pairs = []
    for k, source in zip(kept, source_sentences, strict=True):
        line, tokens = targets[k]
        if not tokens:
            raise at_line(path, line, f"empty translation of {' '.join(source.tokens)!r}")
        pairs.append(TranslatedPair(k, source, Sentence(source.id, language, tokens)))
    return ParallelCorpus(tuple(pairs), len(source_blocks))


def read_pharaoh(path: Path, corpus: ParallelCorpus) -> list[Alignment]:
    """The alignment of every pair from a Pharaoh file, line k for block k.

    Raises:
        InputError: Not one line a block, not ``i-j`` pairs, or an index outside the sentence pair.
    """
    lines = read_text(path).removesuffix("\n").split("\n")
    if len(lines) != corpus.num_blocks:
        raise InputError(
            f"{path}: expected {corpus.num_blocks} lines, one for each block, got {len(lines)}"
        )
    return [_checked(path, pair, lines[pair.block]) for pair in corpus.pairs]


def _checked(path: Path, pair: TranslatedPair, line: str) -> Alignment:
    try:
        alignment = parse_pharaoh(line)
        alignment.check(len(pair.source.tokens), len(pair.target.tokens))
    except ValueError as error:
        raise at_line(path, pair.block + 1, str(error)) from None
    return alignment


def parse_pharaoh(line: str) -> Alignment:
    """``"0-0 1-2"`` as an alignment.

    Raises:
        ValueError: A field is not two numbers with a hyphen between.
    """
    pairs = []
    for text in line.split():
        i, _, j = text.partition("-")
        if not (i.isdecimal() and j.isdecimal()):
            raise ValueError(f"expected pairs 'i-j' of word numbers from 0, got {text!r}")
        pairs.append((int(i), int(j)))
    return Alignment(pairs)

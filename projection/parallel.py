"""Translations of a labelled corpus, block for block, and their word alignments."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum, auto
from operator import itemgetter
from pathlib import Path

from projection.columns import MAX_COLUMNS, MIN_COLUMNS, read_blocks, read_text
from projection.errors import InputError, at_line
from projection.records import Alignment, Corpus, Sentence

Words = tuple[str, ...]
TextPair = tuple[Words, Words]
"""A tokenised source sentence and its translation."""

SIDES = " ||| "
"""What stands between the two sides in a file of parallel text."""


@dataclass(frozen=True, slots=True)
class TranslatedPair:
    """A block of a corpus and its translation.

    Args:
        block: Its number in the source file, from 0.
        source: Words of the block.
        target: Words of its translation.
        sentences: The labelled sentences that stand on the block: one, or one a predicate (SRL).
    """

    block: int
    source: Words
    target: Words
    sentences: tuple[Sentence, ...] = ()


class Unusable(StrEnum):
    """Why a translation is dropped."""

    EMPTY = auto()
    COPIED = auto()
    """It is its source."""
    LENGTH = auto()
    """One side is so much longer than the other that they cannot say the same."""


@dataclass(frozen=True, slots=True)
class UnusablePair:
    """A block whose translation cannot be used, with what stands there instead of one."""

    pair: TranslatedPair
    reason: Unusable


@dataclass(frozen=True, slots=True)
class ParallelCorpus:
    """A labelled corpus and its translation, in file order.

    Args:
        language: Of the translation.
        pairs: The blocks that carry labelled sentences and have a translation.
        num_blocks: How many blocks the source file has, labelled or not.
        untranslated: The blocks that carry labelled sentences and have no usable translation.
    """

    language: str
    pairs: tuple[TranslatedPair, ...]
    num_blocks: int
    untranslated: tuple[UnusablePair, ...] = ()

    @property
    def sentences(self) -> list[Sentence]:
        """The labelled sentences: those of the pairs, then those without a translation."""
        every = [*self.pairs, *(one.pair for one in self.untranslated)]
        return [sentence for pair in every for sentence in pair.sentences]

    @property
    def texts(self) -> list[TextPair]:
        """The words of every pair."""
        return [(pair.source, pair.target) for pair in self.pairs]


def pair_up(corpus: Corpus, translations: Sequence[Words | None], language: str) -> ParallelCorpus:
    """Pair the labelled blocks of ``corpus`` with their translations.

    Args:
        corpus: The labelled source.
        translations: Words of each block's translation; None or no words where there is none.
        language: Of the translation.

    Raises:
        ValueError: Not one translation a block.
    """
    if len(translations) != len(corpus.blocks):
        raise ValueError(f"{len(corpus.blocks)} blocks but {len(translations)} translations")
    on_block: dict[int, list[Sentence]] = {}
    for sentence, block in zip(corpus.sentences, corpus.block_of, strict=True):
        on_block.setdefault(block, []).append(sentence)
    every = [
        TranslatedPair(block, corpus.blocks[block], translations[block] or (), tuple(sentences))
        for block, sentences in sorted(on_block.items())
    ]
    return ParallelCorpus(
        language,
        tuple(pair for pair in every if pair.target),
        len(corpus.blocks),
        tuple(UnusablePair(pair, Unusable.EMPTY) for pair in every if not pair.target),
    )


def read_translation(
    corpus: Corpus, path: Path, language: str, *, encoding: str = "utf-8"
) -> ParallelCorpus:
    """Pair ``corpus`` with the translation in ``path``, block k with block k.

    Blocks without a labelled sentence (``-DOCSTART-``) are told by the source side alone, because
    translators turn such markers into ordinary words. Whether the words are a translation is not
    asked here but in :mod:`projection.translators.quality`.

    Args:
        corpus: The labelled source.
        path: Either a column file (its tags are ignored) or one tokenised sentence a line. An empty
            line is a sentence without a translation.
        language: Of the translation.
        encoding: Of ``path``.

    Raises:
        InputError: The numbers of blocks differ.
    """
    translations = _read_words(path, len(corpus.blocks), encoding)
    labelled = set(corpus.block_of)
    if not any(translations[block] for block in labelled):
        raise at_line(path, 1, "every sentence is empty; expected a translation")
    return pair_up(corpus, translations, language)


def _read_words(path: Path, num_blocks: int, encoding: str) -> list[Words]:
    """Words of every block; plain text if it has just one line a block."""
    lines = read_text(path, encoding).removesuffix("\n").split("\n")
    if len(lines) == num_blocks:
        return [tuple(line.split()) for line in lines]
    if _is_plain_text(lines):
        raise InputError(
            f"{path}: expected {num_blocks} lines, one sentence for each block of the source, "
            f"got {len(lines)}"
        )
    blocks = read_blocks(path, encoding)
    if len(blocks) != num_blocks:
        raise InputError(
            f"{path}: expected {num_blocks} blocks, one for each block of the source, "
            f"got {len(blocks)}"
        )
    return [block.tokens for block in blocks]


def _is_plain_text(lines: Sequence[str]) -> bool:
    """True unless there are blank lines between rows ``word ... tag`` of mostly one width."""
    widths = Counter(len(line.split()) for line in lines if line.strip())
    width, rows = max(widths.items(), key=itemgetter(1), default=(0, 0))
    mostly_rows = MIN_COLUMNS <= width <= MAX_COLUMNS and rows > 0.9 * widths.total()
    return widths.total() == len(lines) or not mostly_rows


def read_parallel_text(path: Path, encoding: str = "utf-8") -> list[TextPair]:
    """Pairs of a file with one tokenised ``source ||| target`` a line; either side may be empty.

    Raises:
        InputError: A line does not have just two sides.
    """
    lines = read_text(path, encoding).removesuffix("\n").split("\n")
    return [_two_sides(path, number, line) for number, line in enumerate(lines, start=1)]


def _two_sides(path: Path, number: int, line: str) -> TextPair:
    sides = f" {line} ".split(SIDES)
    if len(sides) != 2:
        raise at_line(path, number, f"expected 'source words{SIDES}target words', got {line!r}")
    return tuple(sides[0].split()), tuple(sides[1].split())


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
        alignment.check(len(pair.source), len(pair.target))
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

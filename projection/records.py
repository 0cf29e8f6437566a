"""The records that travel between readers, aligners, mappings, trainers and scorers."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Words ``[start, end)`` carrying one label; offsets count words from 0, not pieces.

    Raises:
        ValueError: The span is empty or begins before word 0.
    """

    start: int
    end: int
    label: str

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"a span needs 0 <= start < end, got [{self.start}, {self.end})")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One tokenised sentence with its labelled spans, sorted and disjoint.

    Args:
        id: Unique within its corpus; equal for a source sentence and its translation.
        language: ISO 639-1 code.
        tokens: At least one word.
        spans: Sorted by start; no two share a word.
        pos: One part-of-speech tag a word, or None where the task has none.
        predicate: Index of the predicate's word (SRL), or None.

    Raises:
        ValueError: A span ends after the last word, spans overlap or are out of order, there is
            not one POS tag a word, or the predicate is no word of the sentence.
    """

    id: str
    language: str
    tokens: tuple[str, ...]
    spans: tuple[Span, ...] = ()
    pos: tuple[str, ...] | None = None
    predicate: int | None = None

    def __post_init__(self) -> None:
        length = len(self.tokens)
        if not length:
            raise ValueError(f"sentence {self.id} has no words")
        if self.spans and self.spans[-1].end > length:
            raise ValueError(f"sentence {self.id} has {length} words but a span {self.spans[-1]}")
        for left, right in zip(self.spans, self.spans[1:], strict=False):
            if right.start < left.end:
                raise ValueError(f"sentence {self.id}: {right} does not follow {left}")
        if self.pos is not None and len(self.pos) != length:
            raise ValueError(f"sentence {self.id} has {length} words but {len(self.pos)} POS tags")
        if self.predicate is not None and not 0 <= self.predicate < length:
            raise ValueError(
                f"sentence {self.id} has {length} words but its predicate is word {self.predicate}"
            )


@dataclass(frozen=True, slots=True)
class Corpus:
    """The labelled sentences of a file, and the blocks of words that they stand on.

    A block is one surface sentence of the file. It may carry no labelled sentence (a document
    marker, a sentence out of scope), one, or several (SRL: one a predicate). Translations are
    parallel to blocks.

    Args:
        language: ISO 639-1 code.
        sentences: In file order.
        blocks: Words of every block of the file, in file order.
        block_of: For every sentence, its block, from 0.
        left_out: How much of the file became no sentence or span, by a few words that say why.

    Raises:
        ValueError: ``sentences`` and ``block_of`` differ in length.
    """

    language: str
    sentences: tuple[Sentence, ...]
    blocks: tuple[tuple[str, ...], ...]
    block_of: tuple[int, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.sentences) != len(self.block_of):
            raise ValueError(f"{len(self.sentences)} sentences but {len(self.block_of)} blocks")

    @property
    def num_spans(self) -> int:
        """Labelled spans of all sentences."""
        return sum(len(sentence.spans) for sentence in self.sentences)


class Alignment:
    """Word links of one sentence pair: pairs ``(i, j)``, source word i to target word j, 0-based.

    Pairs are kept sorted and distinct, so equal alignments compare equal.

    >>> Alignment([(1, 0), (0, 2), (1, 0)]).pairs
    ((0, 2), (1, 0))
    """

    __slots__ = ("pairs",)

    def __init__(self, pairs: Iterable[tuple[int, int]]) -> None:
        self.pairs = tuple(sorted(set(pairs)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alignment) and self.pairs == other.pairs

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __repr__(self) -> str:
        return f"Alignment({list(self.pairs)})"

    def __str__(self) -> str:
        """In Pharaoh's notation.

        >>> str(Alignment([(1, 0), (0, 2)]))
        '0-2 1-0'
        """
        return " ".join(f"{i}-{j}" for i, j in self.pairs)

    def check(self, source_length: int, target_length: int) -> None:
        """Refuse a pair outside ``source_length`` x ``target_length`` words.

        Raises:
            ValueError: Names the first pair that lies outside.
        """
        for i, j in self.pairs:
            if not (0 <= i < source_length and 0 <= j < target_length):
                raise ValueError(
                    f"alignment pair {i}-{j} lies outside the sentence pair "
                    f"({source_length} source words, {target_length} target words, both from 0)"
                )

    def links_of(self, start: int, end: int) -> tuple[tuple[int, int], ...]:
        """The links of the source words ``[start, end)``.

        >>> Alignment([(0, 4), (1, 2), (1, 3), (2, 0)]).links_of(1, 2)
        ((1, 2), (1, 3))
        """
        return self.pairs[bisect_left(self.pairs, (start,)) : bisect_left(self.pairs, (end,))]

    def num_unlinked(self, start: int, end: int) -> int:
        """How many of the source words ``[start, end)`` have no link."""
        return end - start - len({i for i, _ in self.links_of(start, end)})

    @property
    def linked_targets(self) -> frozenset[int]:
        """Target words that have a link."""
        return frozenset(j for _, j in self.pairs)

    def targets(self, start: int, end: int) -> list[int]:
        """Target words linked with any of the source words ``[start, end)``, sorted, each once."""
        return sorted({j for _, j in self.links_of(start, end)})


class DropReason(StrEnum):
    """Why a source span has no counterpart in the translation."""

    UNALIGNED = auto()
    """No target word is linked with any of its words."""
    OVERLAPS = auto()
    """Its target words meet those of a span that was placed before."""
    UNTRANSLATED = auto()
    """The sentence has no usable translation."""
    NO_PREDICATE = auto()
    """The predicate that it is an argument of has no counterpart (SRL)."""


@dataclass(frozen=True, slots=True)
class Projection:
    """A labelled translation and the fate of every source span.

    ``len(kept) + len(dropped)`` is always the number of source spans. Span-to-span mapping gives
    every kept span one target span; word-to-word mapping may break one into several.
    """

    sentence: Sentence | None
    """None where nothing of the sentence could be carried over, not even that it has no spans."""
    kept: tuple[Span, ...]
    """Source spans that label at least one target word."""
    dropped: tuple[tuple[Span, DropReason], ...]

    @classmethod
    def lost(cls, source: Sentence, reason: DropReason) -> "Projection":
        """A sentence that is lost whole, with all its spans."""
        return cls(None, (), tuple((span, reason) for span in source.spans))

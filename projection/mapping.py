"""Mappings: carry the labels of a source sentence over to its translation (paper §2.2).

Here is what is done sentence by sentence; :mod:`~projection.edges` then looks at the whole corpus.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, model_validator

from projection.errors import InputError
from projection.records import (
    Alignment,
    DropReason,
    Projection,
    Sentence,
    Span,
)
from projection.recovery import Recovery, find_copy
from projection.schemes import OUTSIDE, TagScheme, decode_tags, encode_tags
from projection.windows import (
    Window,
    absorb_unlinked,
    linked_window,
    longest_word,
    most_similar_window,
    trim_punctuation,
)

Vectors = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Word vectors of a source sentence and of its translation, ``(S, H)`` and ``(T, H)``."""


class Rule(StrEnum):
    """What travels along the links."""

    SPANS = "span-to-span"
    """Whole spans (Eq. 2)."""
    WORDS = "word-to-word"
    """The tag of each word (the baseline of Table 5)."""


class Conflicts(StrEnum):
    """Which of two spans keeps a target word that both are linked with."""

    FIRST = "first"
    """The one that comes first in the source."""
    CONFIDENCE = "confidence"
    """The one of whose words the greater share is linked; of equals the first."""


class MappingSettings(BaseModel, frozen=True, extra="forbid"):
    """A mapping; the defaults are the paper's span-to-span mapping, all else is off."""

    rule: Rule = Rule.SPANS
    """What travels along the links."""
    max_gap: int | None = Field(default=None, ge=0)
    """Linked words further apart than this are not one window: the run with most links wins."""
    absorb: bool = False
    """A window takes in an unlinked neighbour for every unlinked word of its span."""
    conflicts: Conflicts = Conflicts.FIRST
    """Which of two spans keeps a word that both are linked with."""
    trim_punctuation: bool = False
    """Words without a letter or digit are cut off the ends of a window."""
    one_word: bool = False
    """A window is one word, the longest linked one: dependency SRL labels heads."""
    recover: Recovery = Recovery.NONE
    """Look for the words of a span that would be dropped in the translation itself."""
    trim_edges: bool = False
    """Words that nearly always stand beside windows are cut off their ends (edges.py)."""
    rescore: bool = False
    """The ends of windows move by a word where the encoder sees much more similarity."""

    @model_validator(mode="after")
    def _only_what_it_reads(self) -> "MappingSettings":
        useless = sorted(self.model_fields_set - {"rule"})
        if self.rule is Rule.WORDS and useless:
            raise ValueError(f"word-to-word mapping does not read {', '.join(useless)}")
        return self


PAPER = MappingSettings()
"""Span-to-span mapping as in the paper."""


def map_spans(
    source: Sentence,
    target: Sentence,
    alignment: Alignment,
    settings: MappingSettings = PAPER,
    vectors: Vectors | None = None,
) -> Projection:
    """Span-to-span mapping: carry each span of ``source`` to its window in ``target`` (Eq. 2).

    Args:
        source: Gold sentence, S words.
        target: Its translation, T words; its own spans are ignored.
        alignment: Pairs ``(i, j)``, 0 <= i < S and 0 <= j < T.
        settings: How windows are made; the default is Eq. 2 alone.
        vectors: Of the words of ``source`` and ``target``, for ``settings.rescore``.

    Returns:
        Each span as [min, max] over the target words aligned with any of its words. A span with no
        aligned word, or whose window meets that of a span placed before, is dropped with the
        reason.

    Raises:
        ValueError: A pair of ``alignment`` lies outside S x T.
    """
    alignment.check(len(source.tokens), len(target.tokens))
    placed: dict[Span, Span] = {}
    dropped: dict[Span, DropReason] = {}
    taken: set[int] = set()
    for span in _in_order(source.spans, alignment, settings.conflicts):
        window = _window(span, source, target, alignment, settings, vectors)
        if window is None:
            window = find_copy(span, source.tokens, target.tokens, settings.recover, taken)
        if window is None:
            dropped[span] = DropReason.UNALIGNED
        elif taken.isdisjoint(window):
            taken.update(window)
            placed[span] = Span(window.start, window.stop, span.label)
        else:
            dropped[span] = DropReason.OVERLAPS
    return Projection(
        replace(target, spans=tuple(sorted(placed.values()))) if placed or target.spans else target,
        tuple(span for span in source.spans if span in placed),
        tuple((span, dropped[span]) for span in source.spans if span in dropped),
    )


def _in_order(spans: Sequence[Span], alignment: Alignment, conflicts: Conflicts) -> Sequence[Span]:
    """The order in which spans take their windows."""
    if conflicts is Conflicts.FIRST:
        return spans
    linked = {i for i, _ in alignment.pairs}

    def share(span: Span) -> float:
        return sum(i in linked for i in range(span.start, span.end)) / (span.end - span.start)

    return sorted(spans, key=share, reverse=True)


def _window(
    span: Span,
    source: Sentence,
    target: Sentence,
    alignment: Alignment,
    settings: MappingSettings,
    vectors: Vectors | None,
) -> Window | None:
    words = [j for _, j in alignment.links_of(span.start, span.end)]
    if not words:
        return None
    if settings.one_word:
        word = longest_word(words, target.tokens)
        return range(word, word + 1)
    window = linked_window(words, settings.max_gap)
    unlinked = alignment.num_unlinked(span.start, span.end) if settings.absorb else 0
    if unlinked:
        window = absorb_unlinked(window, target.tokens, alignment.linked_targets, unlinked)
    if settings.rescore and vectors:
        window = most_similar_window(range(span.start, span.end), window, *vectors)
    return trim_punctuation(window, target.tokens) if settings.trim_punctuation else window


def map_words(source: Sentence, target: Sentence, alignment: Alignment) -> Projection:
    """Word-to-word mapping: every target word copies the BIOES tag of a source word (Figure 1a).

    The baseline of the paper's Table 5. A target word with several source words takes the first
    labelled one. Boundary marks travel with the words and are then read by conlleval's rules, so a
    change of word order breaks a span in pieces, as it does in the paper.

    Args:
        source: Gold sentence, S words.
        target: Its translation, T words; its own spans are ignored.
        alignment: Pairs ``(i, j)``, 0 <= i < S and 0 <= j < T.

    Returns:
        The labelled translation; source spans none of whose words labels a target word are dropped.

    Raises:
        ValueError: A pair of ``alignment`` lies outside S x T.
    """
    alignment.check(len(source.tokens), len(target.tokens))
    source_tags = encode_tags(source.spans, len(source.tokens), TagScheme.BIOES)
    tags = [OUTSIDE] * len(target.tokens)
    used: set[int] = set()
    for i, j in alignment.pairs:
        if source_tags[i] != OUTSIDE and tags[j] == OUTSIDE:
            tags[j] = source_tags[i]
            used.add(i)
    linked = {i for i, _ in alignment.pairs}
    kept, dropped = [], []
    for span in source.spans:
        words = range(span.start, span.end)
        if used.intersection(words):
            kept.append(span)
        else:
            unaligned = linked.isdisjoint(words)
            dropped.append((span, DropReason.UNALIGNED if unaligned else DropReason.OVERLAPS))
    spans = decode_tags(tags, TagScheme.BIOES)
    return Projection(replace(target, spans=tuple(spans)), tuple(kept), tuple(dropped))


MAPPINGS: Mapping[str, MappingSettings] = MappingProxyType(
    {
        "span-to-span": PAPER,
        "word-to-word": MappingSettings(rule=Rule.WORDS),
        "best": MappingSettings(
            max_gap=2, absorb=True, conflicts=Conflicts.CONFIDENCE, trim_edges=True
        ),
    }
)
"""Mappings that have a name; ``best`` is what measured best (docs/results/projection.md)."""


def mapping_named(name: str) -> MappingSettings:
    """The settings that ``name`` stands for.

    Raises:
        InputError: No mapping of that name.
    """
    if name not in MAPPINGS:
        raise InputError(f"unknown mapping {name!r}; known: {', '.join(MAPPINGS)}")
    return MAPPINGS[name]


def mapping_name(settings: MappingSettings) -> str:
    """The name under which a study may have asked for ``settings``.

    >>> mapping_name(mapping_named("best"))
    'best'
    >>> mapping_name(MappingSettings(max_gap=2))
    'adjusted span-to-span'
    """
    plain = settings.model_copy(update={"one_word": False})  # that is the task's choice
    names = [name for name, known in MAPPINGS.items() if known == plain]
    return names[0] if names else f"adjusted {settings.rule}"

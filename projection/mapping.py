"""Mappings: carry the labels of a source sentence over to its translation (paper §2.2)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from projection.records import (
    Alignment,
    DropReason,
    Projection,
    Sentence,
    Span,
)
from projection.schemes import OUTSIDE, TagScheme, decode_tags, encode_tags

MapLabels = Callable[[Sentence, Sentence, Alignment], Projection]


def map_spans(source: Sentence, target: Sentence, alignment: Alignment) -> Projection:
    """Span-to-span mapping: carry each span of ``source`` to its window in ``target`` (Eq. 2).

    Args:
        source: Gold sentence, S words.
        target: Its translation, T words; its own spans are ignored.
        alignment: Pairs ``(i, j)``, 0 <= i < S and 0 <= j < T.

    Returns:
        Each span as [min, max] over the target words aligned with any of its words. A span with no
        aligned word, or whose window meets that of an earlier span, is dropped with the reason.

    Raises:
        ValueError: A pair of ``alignment`` lies outside S x T.
    """
    alignment.check(len(source.tokens), len(target.tokens))
    placed: list[Span] = []
    kept: list[Span] = []
    dropped: list[tuple[Span, DropReason]] = []
    taken: set[int] = set()
    for span in source.spans:
        words = alignment.targets(range(span.start, span.end))
        if not words:
            dropped.append((span, DropReason.UNALIGNED))
            continue
        window = range(words[0], words[-1] + 1)
        if taken.isdisjoint(window):
            taken.update(window)
            placed.append(Span(window.start, window.stop, span.label))
            kept.append(span)
        else:
            dropped.append((span, DropReason.OVERLAPS))
    return Projection(replace(target, spans=tuple(sorted(placed))), tuple(kept), tuple(dropped))


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


MAPPINGS: Mapping[str, MapLabels] = MappingProxyType(
    {"span-to-span": map_spans, "word-to-word": map_words}
)

"""Labels cross an alignment as Eq. 2 says, and every source span is kept or dropped, never lost."""

import pytest
from hypothesis import given

from projection.mapping import map_spans, map_words
from projection.project import count_projections
from projection.records import Alignment, DropReason, Sentence, Span
from tests.generators import aligned_pairs, law, sentences

PER, LOC, ORG = (0, 2, "PER"), (3, 4, "LOC"), (4, 5, "ORG")
"""Spans of the five source words that the cases below have."""

MAPPINGS = {"span-to-span": map_spans, "word-to-word": map_words}

UNALIGNED, OVERLAPS = DropReason.UNALIGNED, DropReason.OVERLAPS


def pair(spans, target_length=6):
    source = Sentence("en-0", "en", tuple("abcde"), tuple(Span(*span) for span in spans))
    return source, Sentence("en-0", "de", ("w",) * target_length)


CASES = {
    "in order": ([PER, LOC], [(0, 0), (1, 1), (3, 3)], [(0, 2, "PER"), (3, 4, "LOC")], []),
    "reordered": ([PER, LOC], [(0, 5), (1, 4), (3, 0)], [(0, 1, "LOC"), (4, 6, "PER")], []),
    "a gap is filled": ([PER], [(0, 1), (1, 4)], [(1, 5, "PER")], []),
    "one word to many": ([LOC], [(3, 2), (3, 3), (3, 5)], [(2, 6, "LOC")], []),
    "half aligned": ([PER], [(1, 2)], [(2, 3, "PER")], []),
    "unaligned": ([PER, LOC], [(2, 0), (3, 3)], [(3, 4, "LOC")], [(PER, UNALIGNED)]),
    "overlapping": ([PER, LOC], [(0, 0), (1, 4), (3, 2)], [(0, 5, "PER")], [(LOC, OVERLAPS)]),
    "enclosing": ([PER, LOC], [(0, 2), (3, 1), (3, 3)], [(2, 3, "PER")], [(LOC, OVERLAPS)]),
    "the first wins": ([LOC, ORG], [(3, 2), (4, 2)], [(2, 3, "LOC")], [(ORG, OVERLAPS)]),
    "adjacent windows": ([LOC, ORG], [(3, 3), (4, 2)], [(2, 3, "ORG"), (3, 4, "LOC")], []),
    "two losses": ([PER, LOC, ORG], [(0, 0), (4, 0)], [(0, 1, "PER")],
                   [(LOC, UNALIGNED), (ORG, OVERLAPS)]),
    "no links": ([PER], [], [], [(PER, UNALIGNED)]),
    "no spans": ([], [(0, 0)], [], []),
}  # fmt: skip
"""Source spans and links; target spans and losses, worked by hand from Eq. 2."""


@pytest.mark.parametrize("case", CASES)
def test_span_to_span_puts_each_span_on_its_window(case):
    spans, links, expected, lost = CASES[case]
    source, target = pair(spans)
    projection = map_spans(source, target, Alignment(links))
    assert projection.sentence.spans == tuple(Span(*span) for span in expected)
    assert projection.dropped == tuple((Span(*span), reason) for span, reason in lost)
    assert {*projection.kept, *(span for span, _ in projection.dropped)} == set(source.spans)


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ([(0, 0), (1, 1)], [(0, 2)]),
        ([(0, 1), (1, 0)], [(0, 1), (1, 2)]),  # E-PER B-PER
        ([(0, 0), (1, 2)], [(0, 1), (2, 3)]),  # B-PER O E-PER
        ([(0, 0), (0, 1)], [(0, 1), (1, 2)]),  # B-PER B-PER
        ([(0, 3), (1, 3)], [(3, 4)]),  # the first of two source words
    ],
)
def test_word_to_word_breaks_a_span_where_the_word_order_changes(links, expected):
    projection = map_words(*pair([PER]), Alignment(links))
    assert projection.sentence.spans == tuple(Span(*ends, "PER") for ends in expected)
    assert projection.kept == (Span(*PER),)


def test_word_to_word_says_why_a_span_labels_no_word():
    source, target = pair([PER, LOC, ORG])
    projection = map_words(source, target, Alignment([(0, 0), (1, 1), (4, 1)]))
    assert projection.kept == (Span(*PER),)
    assert projection.dropped == ((Span(*LOC), UNALIGNED), (Span(*ORG), OVERLAPS))


def test_word_to_word_prefers_a_labelled_source_word_to_an_earlier_unlabelled_one():
    projection = map_words(*pair([LOC]), Alignment([(2, 0), (3, 0)]))
    assert projection.sentence.spans == (Span(0, 1, "LOC"),)


@pytest.mark.parametrize("mapping", MAPPINGS)
@law
@given(case=aligned_pairs())
def test_every_source_span_is_kept_or_dropped_with_the_right_reason(mapping, case):
    source, target, alignment = case
    projection = MAPPINGS[mapping](source, target, alignment)
    lost = [span for span, _ in projection.dropped]
    assert sorted([*projection.kept, *lost]) == list(source.spans)
    for span, reason in projection.dropped:
        linked = any(span.start <= i < span.end for i, _ in alignment.pairs)
        assert reason is (OVERLAPS if linked else UNALIGNED)


@law
@given(aligned_pairs())
def test_span_to_span_labels_as_many_spans_as_it_keeps_and_no_other_labels(case):
    projection = map_spans(*case)
    labels = [span.label for span in projection.sentence.spans]
    assert sorted(labels) == sorted(span.label for span in projection.kept)


@law
@given(sentences())
def test_both_mappings_copy_the_spans_when_word_order_is_kept(source):
    target = Sentence(source.id, "de", tuple(token.upper() for token in source.tokens))
    identity = Alignment((i, i) for i in range(len(source.tokens)))
    for map_labels in MAPPINGS.values():
        projection = map_labels(source, target, identity)
        assert projection.sentence.spans == projection.kept == source.spans
        assert projection.sentence.tokens == target.tokens


@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("link", [(5, 0), (0, 6), (-1, 0)])
def test_a_link_outside_the_pair_is_refused(mapping, link):
    with pytest.raises(ValueError, match="lies outside the sentence pair"):
        MAPPINGS[mapping](*pair([PER]), Alignment([(0, 0), link]))


def test_counts_tell_the_losses_by_label_and_reason():
    links = Alignment([(0, 0), (4, 0)])
    projections = [map_spans(*pair([PER, LOC, ORG]), links), map_spans(*pair([PER]), links)]
    counts = count_projections(projections)
    assert counts.sentences == 2
    assert counts.kept == {"PER": 2}
    assert counts.dropped == {"LOC": {UNALIGNED: 1}, "ORG": {OVERLAPS: 1}}
    assert counts.drop_rate == 0.5
    assert count_projections([]).drop_rate == 0.0

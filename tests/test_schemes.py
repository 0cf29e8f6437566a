"""Tags and spans say the same; seqeval, a port of conlleval, is the judge of ill-formed tags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB2, IOBES, Entities

from projection.records import Span
from projection.schemes import (
    Detected,
    TagScheme,
    decode_strict,
    decode_tags,
    detect_scheme,
    encode_tags,
    split_tag,
    tag_set,
)
from tests.generators import disjoint_spans, law, tag_sequences

BIO, BIOES, IOB1, OI = TagScheme.BIO, TagScheme.BIOES, TagScheme.IOB1, TagScheme.OI
SPANS = [Span(0, 1, "LOC"), Span(1, 3, "LOC"), Span(4, 7, "PER")]


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        (BIOES, "S-LOC B-LOC E-LOC O B-PER I-PER E-PER O"),
        (BIO, "B-LOC B-LOC I-LOC O B-PER I-PER I-PER O"),
        (OI, "I-LOC I-LOC I-LOC O I-PER I-PER I-PER O"),
    ],
)
def test_encode_writes_the_tags_worked_by_hand(scheme, tags):
    assert encode_tags(SPANS, 8, scheme) == tags.split()


@law
@given(disjoint_spans(), st.sampled_from([BIOES, BIO]))
def test_decode_undoes_encode_in_bioes_and_bio(spans_and_length, scheme):
    spans, length = spans_and_length
    tags = encode_tags(spans, length, scheme)
    assert decode_tags(tags, scheme) == spans
    assert decode_strict(tags, scheme) == spans


@law
@given(disjoint_spans())
def test_oi_loses_exactly_the_widths_of_spans(spans_and_length):
    spans, length = spans_and_length
    heads = [Span(j, j + 1, span.label) for span in spans for j in range(span.start, span.end)]
    tags = encode_tags(spans, length, OI)
    assert decode_tags(tags, OI) == heads
    assert decode_strict(tags, OI) == heads


@law
@given(disjoint_spans(), st.sampled_from([BIOES, BIO, OI]))
def test_encode_writes_only_tags_of_the_tag_set(spans_and_length, scheme):
    tags = encode_tags(*spans_and_length, scheme)
    assert set(tags) <= set(tag_set(["PER", "LOC", "B-CELL"], scheme))


@law
@given(tag_sequences("BIES") | tag_sequences("BI"), st.sampled_from([BIOES, BIO, IOB1]))
def test_decode_finds_the_entities_of_conlleval_in_any_tags(tags, scheme):
    theirs = [Span(start, last + 1, label) for label, start, last in get_entities(tags)]
    assert decode_tags(tags, scheme) == theirs


def strict_entities(tags, scheme):
    [found] = Entities([tags], scheme).entities
    return [Span(entity.start, entity.end, entity.tag) for entity in found]


@law
@given(tag_sequences("BIES"))
def test_decode_strict_finds_the_entities_of_seqeval_in_any_bioes_tags(tags):
    assert decode_strict(tags, BIOES) == strict_entities(tags, IOBES)


@law
@given(tag_sequences("BI"))
def test_decode_strict_finds_the_entities_of_seqeval_in_any_bio_tags(tags):
    assert decode_strict(tags, BIO) == strict_entities(tags, IOB2)


def test_a_stray_inside_tag_is_a_span_for_conlleval_and_none_in_strict_mode():
    tags = ["O", "I-PER", "I-PER", "O", "B-LOC"]
    assert decode_tags(tags, BIO) == [Span(1, 3, "PER"), Span(4, 5, "LOC")]
    assert decode_strict(tags, BIO) == [Span(4, 5, "LOC")]


REGULAR = {
    IOB1: "I-PER I-PER O I-LOC B-LOC I-LOC I-PER",
    BIO: "B-PER I-PER O B-LOC B-LOC I-LOC B-PER",
    BIOES: "B-PER E-PER O S-LOC B-LOC E-LOC S-PER",
}
"""Four spans, two of one label side by side."""


@pytest.mark.parametrize("scheme", REGULAR)
def test_detect_tells_the_three_schemes_apart(scheme):
    assert detect_scheme([REGULAR[scheme].split(), ["O"]]) == Detected(scheme, 0)


@pytest.mark.parametrize(
    ("scheme", "slip"),
    [(BIO, "O I-PER"), (BIO, "S-PER"), (IOB1, "O B-PER"), (IOB1, "I-LOC E-LOC"), (BIOES, "B-PER")],
)
def test_detect_accepts_and_counts_slips_up_to_one_percent_and_refuses_more(scheme, slip):
    file = [REGULAR[scheme].split()] * 100
    assert detect_scheme([*file, slip.split()]) == Detected(scheme, 1)
    with pytest.raises(ValueError, match="mixed tag schemes"):
        detect_scheme([*file, *[slip.split()] * 20])


@pytest.mark.parametrize(("one", "other"), [(IOB1, BIO), (IOB1, BIOES), (BIO, BIOES)])
def test_detect_refuses_a_file_of_two_schemes(one, other):
    with pytest.raises(ValueError, match=r"mixed tag schemes.*rewrite the file in one scheme"):
        detect_scheme([REGULAR[one].split(), REGULAR[other].split()])


@pytest.mark.parametrize("tag", ["", "B", "B-", "X-PER", "b-PER", "PER", "O-PER", "BPER", "-PER"])
def test_a_tag_of_no_scheme_is_refused_and_quoted(tag):
    with pytest.raises(ValueError, match=f"got {tag!r}"):
        split_tag(tag)
    with pytest.raises(ValueError, match=f"got {tag!r}"):
        decode_tags(["O", tag], BIO)


def test_encode_refuses_iob1_and_a_span_that_does_not_fit():
    with pytest.raises(ValueError, match="never written"):
        encode_tags(SPANS, 8, IOB1)
    with pytest.raises(ValueError, match="does not fit into 6 words"):
        encode_tags(SPANS, 6, BIO)

"""Scores are those of seqeval, and of a pencil."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support

from projection.records import Span
from projection.schemes import TagScheme, encode_tags
from projection.scoring import (
    OverlapScore,
    SpanError,
    SpanScore,
    score_overlaps,
    score_spans,
    span_errors,
)
from tests.generators import disjoint_spans, labels, law

GOLD = [[Span(0, 2, "PER"), Span(3, 4, "LOC")], [Span(1, 2, "LOC")], []]
PREDICTED = [[Span(0, 2, "PER"), Span(3, 5, "LOC")], [Span(1, 2, "PER")], [Span(0, 1, "ORG")]]
"""One of three gold spans is right; a width, a label and a whole span are wrong."""


def test_a_span_counts_only_with_its_start_end_and_label():
    scores = score_spans(GOLD, PREDICTED)
    assert scores.micro == SpanScore(correct=1, gold=3, predicted=4)
    assert scores.labels == {
        "LOC": SpanScore(correct=0, gold=2, predicted=1),
        "ORG": SpanScore(correct=0, gold=0, predicted=1),
        "PER": SpanScore(correct=1, gold=1, predicted=2),
    }
    assert list(scores.labels) == ["LOC", "ORG", "PER"]


def test_percentages_are_those_worked_by_hand():
    score = SpanScore(correct=1, gold=4, predicted=2)
    assert (score.precision, score.recall) == (50.0, 25.0)
    assert score.f1 == pytest.approx(100 / 3)  # 2 * 50 * 25 / 75


@pytest.mark.parametrize("score", [SpanScore(0, 0, 0), SpanScore(0, 3, 0), SpanScore(0, 0, 3)])
def test_a_ratio_with_nothing_below_the_line_is_zero(score):
    assert (score.precision, score.recall, score.f1) == (0.0, 0.0, 0.0)


def test_equal_spans_in_other_sentences_do_not_match():
    span = Span(0, 1, "PER")
    assert score_spans([[span], []], [[], [span]]).micro == SpanScore(0, 1, 1)


def test_files_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="2 gold sentences but 1 predicted"):
        score_spans([[], []], [[]])


def test_overlapping_spans_count_on_both_sides_if_their_labels_agree():
    gold = [[Span(0, 4, "PER"), Span(5, 6, "LOC"), Span(7, 8, "LOC")]]
    # Two pieces of one name, a place called a person, nothing for the last.
    predicted = [[Span(0, 1, "PER"), Span(2, 5, "PER"), Span(5, 6, "PER")]]
    score = score_overlaps(gold, predicted)
    assert score == OverlapScore(found=1, gold=3, right=2, predicted=3)
    assert (score.precision, score.recall) == pytest.approx((200 / 3, 100 / 3))
    assert score.f1 == pytest.approx(400 / 9)
    assert score_overlaps([[]], [[]]).f1 == 0.0


ERRORS = {
    "too long": (Span(1, 5, "PER"), SpanError.TOO_LONG),
    "too long at one end": (Span(2, 5, "PER"), SpanError.TOO_LONG),
    "too short": (Span(3, 4, "PER"), SpanError.TOO_SHORT),
    "shifted": (Span(3, 5, "PER"), SpanError.SHIFTED),
    "wrong label": (Span(2, 4, "LOC"), SpanError.WRONG_LABEL),
}


@pytest.mark.parametrize("case", ERRORS)
def test_a_wrong_span_is_told_by_how_it_lies_to_the_gold_one(case):
    span, error = ERRORS[case]
    assert span_errors([Span(2, 4, "PER")], [span]) == [(span, error)]


def test_a_span_beside_all_gold_ones_is_spurious_and_they_are_missing():
    gold, span = Span(0, 2, "PER"), Span(2, 3, "PER")
    assert span_errors([gold], [span]) == [(span, SpanError.SPURIOUS), (gold, SpanError.MISSING)]


def test_a_span_is_compared_with_the_gold_one_that_it_shares_most_words_with():
    gold = [Span(0, 1, "PER"), Span(1, 4, "PER")]
    assert span_errors(gold, [Span(0, 3, "PER")]) == [(Span(0, 3, "PER"), SpanError.SHIFTED)]
    assert span_errors(gold, gold) == []


@st.composite
def gold_and_predicted(draw):
    """Gold spans; some of them missed or relabelled, or others altogether; and a length for all."""
    gold, length = draw(disjoint_spans())
    if draw(st.booleans()):
        predicted, other_length = draw(disjoint_spans())
        return gold, predicted, max(length, other_length, 1)
    fates = [draw(st.none() | st.just(span.label) | labels) for span in gold]
    kept = [
        Span(span.start, span.end, label) for span, label in zip(gold, fates, strict=True) if label
    ]
    return gold, kept, max(length, 1)


@law
@given(st.lists(gold_and_predicted(), min_size=1, max_size=5))
def test_scores_are_those_of_seqeval(cases):
    gold, predicted = [case[0] for case in cases], [case[1] for case in cases]
    assume(any(gold) and any(predicted))
    tags = [
        [
            encode_tags(spans, case[2], TagScheme.BIO)
            for spans, case in zip(side, cases, strict=True)
        ]
        for side in (gold, predicted)
    ]
    scores = score_spans(gold, predicted)
    each = precision_recall_fscore_support(*tags, average=None, zero_division=0)
    micro = precision_recall_fscore_support(*tags, average="micro", zero_division=0)
    by_label = [list(map(float, row)) for row in zip(*each, strict=True)]
    assert [ratios(score) for score in scores.labels.values()] == list(map(pytest.approx, by_label))
    assert ratios(scores.micro) == pytest.approx(micro)


def ratios(score):
    """What seqeval gives: precision, recall and F1 of 1, and how many gold spans there are."""
    return [score.precision / 100, score.recall / 100, score.f1 / 100, score.gold]

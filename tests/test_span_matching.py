"""What became of spans: counted over a corpus at once as a pencil counts sentence by sentence."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.columns import write_columns
from projection.errors import InputError
from projection.records import Sentence, Span
from projection.schemes import TagScheme
from projection.scoring import SpanError, score_spans, span_errors
from projection.span_arrays import SpanArrays, arrays_of, read_span_arrays
from projection.span_matching import Edge, Fate, Matching
from tests.generators import disjoint_spans, law, sentences

LABELS = ("PER", "LOC", "ORG", "B-CELL")


def corpus(*spans: list[Span], words: int = 9) -> list[Sentence]:
    return [Sentence(f"de-{k}", "de", ("w",) * words, tuple(each)) for k, each in enumerate(spans)]


def matching(gold: list[list[Span]], predicted: list[list[Span]], words: int = 9) -> Matching:
    return Matching(*(arrays_of(corpus(*side, words=words), LABELS) for side in (gold, predicted)))


def test_every_kind_of_error_is_told_as_worked_by_hand() -> None:
    gold = [
        [Span(0, 2, "PER"), Span(3, 4, "LOC"), Span(5, 7, "ORG"), Span(8, 9, "PER")],
        [Span(0, 3, "LOC"), Span(4, 6, "LOC")],
    ]
    predicted = [
        [Span(0, 2, "PER"), Span(3, 4, "ORG"), Span(5, 6, "ORG"), Span(7, 8, "LOC")],
        [Span(0, 4, "PER"), Span(5, 7, "LOC")],
    ]
    found = matching(gold, predicted)
    assert [Fate(fate) for fate in found.fates] == [
        Fate.RIGHT,
        Fate.LABEL,
        Fate.BOUNDARY,
        Fate.MISSED,
        Fate.BOTH,
        Fate.BOUNDARY,
    ]
    assert found.spurious.tolist() == [False, False, False, True, False, False]
    edges = dict(zip(Edge, found.edges.tolist(), strict=True))
    assert edges == {Edge.TOO_LONG: 1, Edge.TOO_SHORT: 1, Edge.SHIFTED: 1}
    per, loc, org, _, missed = range(5)
    confusion = found.confusion(len(LABELS))
    assert confusion[per].tolist() == [1, 0, 0, 0, 1]
    assert confusion[loc].tolist() == [1, 1, 1, 0, 0]
    assert confusion[org].tolist() == [0, 0, 1, 0, 0]
    assert confusion[missed].tolist() == [0, 1, 0, 0, 0]  # the spurious LOC


def test_of_several_predicted_spans_the_one_with_most_words_counts_and_then_the_first() -> None:
    found = matching(
        [[Span(0, 4, "PER")], [Span(0, 4, "PER")]],
        [[Span(0, 1, "LOC"), Span(1, 4, "PER")], [Span(0, 2, "LOC"), Span(2, 4, "PER")]],
    )
    assert found.nearest.tolist() == [1, 2]
    assert [Fate(fate) for fate in found.fates] == [Fate.BOUNDARY, Fate.BOTH]


def test_sentences_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="1 with 9 words, 1 with 8"):
        Matching(arrays_of(corpus([]), LABELS), arrays_of(corpus([], words=8), LABELS))


sides = st.lists(st.tuples(disjoint_spans(), disjoint_spans()), min_size=1, max_size=4)


@law
@given(sides)
def test_fates_partition_the_gold_spans_and_agree_with_the_scores(
    cases: list[tuple[tuple[list[Span], int], tuple[list[Span], int]]],
) -> None:
    words = max(1, *(side[1] for case in cases for side in case))
    gold, predicted = [case[0][0] for case in cases], [case[1][0] for case in cases]
    found = matching(gold, predicted, words)
    fates = np.bincount(found.fates, minlength=len(Fate))
    micro = score_spans(gold, predicted).micro
    assert fates.sum() == micro.gold
    assert fates[Fate.RIGHT] == micro.correct
    assert found.edges.sum() == fates[Fate.BOUNDARY] + sum(
        (found.gold.end - found.gold.start)[k] != (near.end - near.start)[0]
        or found.gold.start[k] != near.start[0]
        for k in np.flatnonzero(found.fates == Fate.BOTH)
        for near in [_only(found.predicted, found.nearest[k])]
    )
    told = [error for pair in zip(gold, predicted, strict=True) for _, error in span_errors(*pair)]
    assert fates[Fate.MISSED] == told.count(SpanError.MISSING)
    assert found.spurious.sum() == told.count(SpanError.SPURIOUS)
    confusion = found.confusion(len(LABELS))
    in_gold = np.bincount(found.gold.label, minlength=len(LABELS))
    assert confusion[:-1].sum(axis=1).tolist() == in_gold.tolist()
    assert confusion[:-1, -1].sum() == fates[Fate.MISSED]


def _only(spans: SpanArrays, k: int) -> SpanArrays:
    one = [column[k : k + 1] for column in (spans.sentence, spans.start, spans.end, spans.label)]
    return SpanArrays(*one, spans.lengths)


@law
@given(st.lists(sentences(), min_size=1, max_size=5))
def test_spans_read_from_a_file_are_those_that_were_written(
    tmp_path_factory: pytest.TempPathFactory, written: list[Sentence]
) -> None:
    path = tmp_path_factory.mktemp("columns") / "predictions.conll"
    with path.open("w", encoding="utf-8") as out:
        write_columns(written, out, TagScheme.BIO)
    read, expected = read_span_arrays(path, LABELS), arrays_of(written, LABELS)
    for name in ("sentence", "start", "end", "label", "lengths"):
        assert getattr(read, name).tolist() == getattr(expected, name).tolist(), name


def test_predicates_in_a_column_of_their_own_do_not_matter(tmp_path: Path) -> None:
    one = replace(corpus([Span(1, 2, "LOC")], words=3)[0], predicate=0)
    path = tmp_path / "predictions.conll"
    with path.open("w", encoding="utf-8") as out:
        write_columns([one], out, TagScheme.BIO)
    assert read_span_arrays(path, LABELS).start.tolist() == [1]


def test_tags_of_other_labels_or_schemes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "predictions.conll"
    path.write_text("a\tB-XYZ\n\n")
    with pytest.raises(InputError, match="'B-XYZ' is no tag of PER"):
        read_span_arrays(path, LABELS)
    path.write_text("a\tI-PER\n\n")
    with pytest.raises(InputError, match="continues nothing"):
        read_span_arrays(path, LABELS)

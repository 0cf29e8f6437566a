"""Predictions beside gold: what is one unit of chance, and what does not fit together."""

from pathlib import Path

import numpy as np
import pytest

from orchestrator.predictions import GoldSet, count_test, read_predictions
from orchestrator.steps.evaluate import PREDICTIONS, EvaluateStep
from orchestrator.store import StepStore
from orchestrator.tracking.mistakes import as_files
from projection.errors import InputError
from projection.records import Sentence, Span
from projection.span_arrays import SpanArrays, arrays_of
from tests.finished import MadeUp, finish

LABELS = ("A0", "A1")


def spans(*sentences: list[Span]) -> SpanArrays:
    words = ("a", "b", "c")
    return arrays_of([Sentence("", "es", words, tuple(one)) for one in sentences], LABELS)


def test_mistakes_of_a_test_as_files() -> None:
    place, name = Span(0, 2, "A0"), Span(2, 3, "A1")
    gold = GoldSet("es", LABELS, spans([place, name], [name], []), np.array([0, 1, 2]))
    short, other, nothing = Span(0, 1, "A0"), Span(2, 3, "A0"), Span(0, 1, "A1")
    files = as_files(LABELS, count_test(gold, spans([short, name], [other], [nothing])))
    assert files["confusion.csv"].splitlines() == [
        "gold,A0,A1,missed",
        "A0,1,0,0",
        "A1,1,1,0",
        "spurious,0,1,0",
    ]
    rows = [line.split(",") for line in files["errors.csv"].splitlines()]
    assert {name: int(spans) for name, spans in rows[1:] if spans != "0"} == {
        "right": 1,
        "wrong boundary": 1,
        "wrong label": 1,
        "spurious": 1,
        "boundary too short": 1,
    }


def test_predicates_of_one_surface_sentence_are_one_unit() -> None:
    first, second = Span(0, 1, "A0"), Span(1, 2, "A1")
    gold = GoldSet("es", LABELS, spans([first], [first, second], [second]), np.array([0, 0, 1]))
    tested = count_test(gold, spans([first], [first], []))
    assert gold.counts.tolist() == [3, 1]
    assert tested.correct.tolist() == tested.predicted.tolist() == [2, 0]


def test_predictions_for_other_sentences_are_refused_with_their_path(
    made_up: MadeUp, tmp_path: Path
) -> None:
    store = StepStore(tmp_path)
    tests = [step for step in made_up.plan.steps if isinstance(step, EvaluateStep)]
    finish(made_up.plan, store, lambda step: step is tests[0])

    def fill(folder: Path) -> dict[str, object]:
        (folder / PREDICTIONS).write_text("word\tO\n\n")
        return {"outputs": {}}

    store.write(tests[1], fill)
    with pytest.raises(InputError, match=r"predictions\.conll: not the predictions for this test"):
        read_predictions(made_up.plan, store)

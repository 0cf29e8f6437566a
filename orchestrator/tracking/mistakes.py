"""Tables of a test's mistakes, as files that MLflow shows beside its scores."""

import csv
from collections.abc import Iterable, Mapping, MutableMapping
from io import StringIO

from orchestrator.predictions import GoldSet, Tested, read_gold, read_tested
from orchestrator.steps.evaluate import EvaluateStep
from orchestrator.store import StepStore
from projection.errors import InputError
from projection.span_matching import EDGES, FATES

ERRORS, CONFUSION = "errors.csv", "confusion.csv"
MISSED, SPURIOUS = "missed", "spurious"


def mistake_tables(
    evaluation: EvaluateStep, store: StepStore, gold_sets: MutableMapping[str, GoldSet]
) -> Mapping[str, str]:
    """Kinds of errors and the confusion of labels of a finished test, by file name.

    Args:
        evaluation: The test.
        store: Where it is done.
        gold_sets: Test sets by language; the one of this test is added.

    Returns:
        None of them where the gold labels or the predictions cannot be read: a report says why.
    """
    try:
        if evaluation.language not in gold_sets:
            gold_sets[evaluation.language] = read_gold(evaluation, store)
        gold = gold_sets[evaluation.language]
        tested = read_tested(evaluation, gold, store)
    except InputError:
        return {}
    return as_files(gold.labels, tested)


def as_files(labels: tuple[str, ...], tested: Tested) -> Mapping[str, str]:
    """CSV files by name.

    Args:
        labels: Of the test set.
        tested: What a model made of it.
    """
    return {ERRORS: _csv(_errors(tested)), CONFUSION: _csv(_confusion(labels, tested))}


def _errors(tested: Tested) -> Iterable[tuple[object, ...]]:
    """A row a fate of a gold span, how many have it; then how boundaries are wrong."""
    yield "what", "spans"
    for fate, name in FATES.items():
        yield name, int(tested.fates[fate])
    yield SPURIOUS, tested.spurious
    for edge, name in EDGES.items():
        yield f"boundary {name}", int(tested.edges[edge])


def _confusion(labels: tuple[str, ...], tested: Tested) -> Iterable[tuple[object, ...]]:
    """Gold labels down, predicted ones across."""
    yield "gold", *labels, MISSED
    for name, row in zip((*labels, SPURIOUS), tested.confusion.tolist(), strict=True):
        yield name, *row


def _csv(rows: Iterable[tuple[object, ...]]) -> str:
    out = StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()

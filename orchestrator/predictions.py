"""What finished tests predicted, beside the gold labels, counted for comparisons and errors."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from pydantic import BaseModel

from orchestrator.plan import Plan, RunSpec
from orchestrator.steps.evaluate import PREDICTIONS, EvaluateStep
from orchestrator.store import StepStore, imported_place
from projection.errors import InputError
from projection.span_arrays import Ints, SpanArrays, arrays_of, read_span_arrays
from projection.span_matching import Fate, Matching


@dataclass(frozen=True)
class GoldSet:
    """The gold spans of a test set.

    Args:
        language: Of the test set.
        labels: Of gold and of what a model may predict, sorted.
        spans: In file order.
        unit: Of every sentence the surface sentence that it stands on, from 0: with a sentence a
            predicate (SRL), those of one surface sentence are not independent of each other.
    """

    language: str
    labels: tuple[str, ...]
    spans: SpanArrays
    unit: Ints

    @property
    def num_units(self) -> int:
        """Surface sentences with labelled ones on them."""
        return int(self.unit.max(initial=-1)) + 1

    def by_unit(self, spans: SpanArrays) -> Ints:
        """How many of ``spans`` lie in each surface sentence, ``(N,)``."""
        return np.bincount(self.unit[spans.sentence], minlength=self.num_units)

    @cached_property
    def counts(self) -> Ints:
        """Gold spans of each surface sentence, ``(N,)``."""
        return self.by_unit(self.spans)


@dataclass(frozen=True)
class Tested:
    """One model's predictions on one test set, counted.

    Args:
        correct: Right spans of each surface sentence, ``(N,)``.
        predicted: All predicted ones, ``(N,)``.
        fates: Gold spans by :class:`~projection.span_matching.Fate`, ``(5,)``.
        edges: Those with a wrong boundary by :class:`~projection.span_matching.Edge`, ``(3,)``.
        confusion: Labels of gold spans and of those nearest to them, one more row and column for
            spurious and missed ones.
    """

    correct: Ints
    predicted: Ints
    fates: Ints
    edges: Ints
    confusion: Ints

    @property
    def spurious(self) -> int:
        """Predicted spans that share no word with a gold one."""
        return int(self.confusion[-1].sum())


def count_test(gold: GoldSet, predicted: SpanArrays) -> Tested:
    """Compare ``predicted`` with ``gold``.

    Raises:
        ValueError: The sentences differ.
    """
    matching = Matching(gold.spans, predicted)
    right = matching.fates == Fate.RIGHT
    return Tested(
        np.bincount(gold.unit[gold.spans.sentence[right]], minlength=gold.num_units),
        gold.by_unit(predicted),
        np.bincount(matching.fates, minlength=len(Fate)),
        matching.edges,
        matching.confusion(len(gold.labels)),
    )


@dataclass(frozen=True)
class TestSet:
    """All that was tested on one language: by strategy and seed."""

    gold: GoldSet
    tested: Mapping[tuple[str, int], Tested]

    __test__ = False
    """Tells pytest that it is no test."""


def read_predictions(plan: Plan, store: StepStore) -> dict[str, TestSet]:
    """Every finished test of the study by language, in the order of its targets."""
    return {
        language: test_set
        for language in plan.study.targets
        if (test_set := _read_language(plan.specs, language, store)) is not None
    }


def _read_language(specs: Iterable[RunSpec], language: str, store: StepStore) -> TestSet | None:
    done = {
        (spec.strategy, spec.seed): evaluation
        for spec in specs
        for evaluation in spec.evaluations
        if evaluation.language == language and store.has_result(evaluation)
    }
    if not done:
        return None
    gold = read_gold(next(iter(done.values())), store)
    return TestSet(gold, {key: read_tested(step, gold, store) for key, step in done.items()})


def read_gold(evaluation: EvaluateStep, store: StepStore) -> GoldSet:
    """The test set of ``evaluation``; every model of a study is tested on the same.

    Raises:
        InputError: It is neither in its place nor in the store.
    """
    corpus = evaluation.test.read(store)
    found = {span.label for sentence in corpus.sentences for span in sentence.spans}
    labels = tuple(sorted(found | set(evaluation.model.encoding.labels)))
    _, unit = np.unique(np.array(corpus.block_of, dtype=np.int64), return_inverse=True)
    return GoldSet(evaluation.language, labels, arrays_of(corpus.sentences, labels), unit)


def read_tested(evaluation: EvaluateStep, gold: GoldSet, store: StepStore) -> Tested:
    """What a finished test predicted, counted.

    Raises:
        InputError: Its predictions are not for this test set.
    """
    if not store.is_done(evaluation):
        return _imported(evaluation, gold, store)
    path = store.folder(evaluation) / PREDICTIONS
    try:
        return count_test(gold, read_span_arrays(path, gold.labels))
    except ValueError as error:
        raise InputError(
            f"{path}: not the predictions for this test set ({error}); "
            "`xlwarm store verify --move-aside` checks the store"
        ) from None


COUNTED = "counted.json"
"""Artefact of an imported test in the place of its predictions, which hold the text."""


class Counted(BaseModel, extra="forbid"):
    """:class:`Tested` as it is written into files."""

    correct: list[int]
    predicted: list[int]
    fates: list[int]
    edges: list[int]
    confusion: list[list[int]]


def counted(tested: Tested) -> bytes:
    """``counted.json`` of a test."""
    lists = {each.name: getattr(tested, each.name).tolist() for each in fields(Tested)}
    return Counted(**lists).model_dump_json().encode()


def _imported(evaluation: EvaluateStep, gold: GoldSet, store: StepStore) -> Tested:
    """What a test found in another store.

    Raises:
        InputError: Its counts are not those of its scores on this test set.
    """
    found = Counted.model_validate_json(store.read(evaluation, COUNTED))
    tested = Tested(**{name: np.array(value) for name, value in found})
    micro = store.outputs(evaluation)["micro"]
    size = len(gold.labels) + 1
    shapes = (tested.correct.shape, tested.predicted.shape, tested.confusion.shape)
    if (
        shapes != ((gold.num_units,), (gold.num_units,), (size, size))
        or tested.correct.sum() != micro["correct"]
        or tested.predicted.sum() != micro["predicted"]
    ):
        raise InputError(
            f"{imported_place(evaluation)}/{COUNTED} in the store {store.location}: not the counts "
            f"for this test set of {gold.language}; remove that folder and import the results again"
        )
    return tested

"""What a study found so far, read from the step store."""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.plan import Plan, RunSpec
from orchestrator.steps.finetune import CURVE
from orchestrator.steps.model import TrainedStep
from orchestrator.steps.warmup import ROUNDS, WarmupStep
from orchestrator.store import StepStore


@dataclass(frozen=True, slots=True)
class RunResult:
    """Scores of one model on one language, in percent."""

    strategy: str
    seed: int
    language: str
    f1: float
    precision: float
    recall: float
    labels: dict[str, dict[str, float]]
    """F1, precision, recall and counts by label."""
    dev_f1: float
    """Source-dev F1 that selected the model."""
    fingerprint: str
    """Of the evaluate step."""


def results(plan: Plan, store: StepStore) -> list[RunResult]:
    """Every strategy x seed x language that is done, in the order of the plan."""
    found: list[RunResult] = []
    for spec in plan.specs:
        if store.has_result(spec.model):
            dev_f1 = store.outputs(spec.model)["dev_f1"]
            found += spec_results(spec, store, dev_f1)
    return found


def spec_results(spec: RunSpec, store: StepStore, dev_f1: float) -> Iterable[RunResult]:
    """The finished evaluations of one model."""
    for evaluation in spec.evaluations:
        if store.has_result(evaluation):
            outputs = store.outputs(evaluation)
            micro = outputs["micro"]
            yield RunResult(
                spec.strategy,
                spec.seed,
                evaluation.language,
                micro["f1"],
                micro["precision"],
                micro["recall"],
                outputs["labels"],
                dev_f1,
                evaluation.fingerprint,
            )


@dataclass(frozen=True, slots=True)
class Cell:
    """F1 of one strategy on one language (or their average) over seeds, in percent."""

    mean: float
    std: float
    """Sample standard deviation over seeds; 0 for one seed."""
    seeds: int


def cell(scores: Sequence[float]) -> Cell:
    """Mean and spread of one score a seed.

    >>> cell([50.0, 54.0])
    Cell(mean=52.0, std=2.8284271247461903, seeds=2)
    """
    spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
    return Cell(statistics.fmean(scores), spread, len(scores))


AVERAGE = "avg"


def seed_scores(
    found: Sequence[RunResult], targets: Sequence[str]
) -> dict[tuple[str, str], dict[int, float]]:
    """F1 by seed, of every strategy and language, and of every strategy and ``AVERAGE``.

    A seed is in the average only if all its targets are done, so that no average mixes different
    languages.
    """
    scores: dict[tuple[str, str], dict[int, float]] = {}
    for result in found:
        scores.setdefault((result.strategy, result.language), {})[result.seed] = result.f1
    for name in {result.strategy for result in found}:
        columns = [scores.get((name, target), {}) for target in targets]
        complete = set.intersection(*(set(column) for column in columns))
        if complete:
            scores[name, AVERAGE] = {
                seed: statistics.fmean(column[seed] for column in columns)
                for seed in sorted(complete)
            }
    return scores


def cells(found: Sequence[RunResult], targets: Sequence[str]) -> dict[tuple[str, str], Cell]:
    """Means over seeds by strategy and language, and by strategy and ``AVERAGE``."""
    by_seed = seed_scores(found, targets)
    return {key: cell(list(scores.values())) for key, scores in by_seed.items()}


def training_curve(spec: RunSpec, store: StepStore) -> list[dict[str, Any]]:
    """``step``, ``loss`` and ``dev_f1`` (or None) along the fine-tuning of a finished model."""
    return _lines(store.read(spec.model, CURVE))


def curve_of_model(model: TrainedStep, store: StepStore) -> list[tuple[int, float]]:
    """Steps and dev F1 wherever the dev set was looked at, of a finished model."""
    points = _lines(store.read(model, CURVE))
    return [(one["step"], one["dev_f1"]) for one in points if one["dev_f1"] is not None]


def warmup_rounds(step: WarmupStep, store: StepStore) -> list[dict[str, Any]]:
    """The reports of all rounds of a finished warm-up."""
    return _lines(store.read(step, ROUNDS))


def _lines(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]

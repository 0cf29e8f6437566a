"""Results as tables of pandas: one row a strategy, language and seed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from orchestrator.plan import Plan
from orchestrator.store import StepStore

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = (
    "study",
    "task",
    "backbone",
    "source",
    "strategy",
    "language",
    "seed",
    "f1",
    "precision",
    "recall",
    "correct",
    "gold",
    "predicted",
    "dev_f1",
    "best_step",
    "train_seconds",
    "test_seconds",
    "device",
    "git_commit",
    "model_fingerprint",
    "fingerprint",
)
"""Of every row; behind them ``f1.<LABEL>``, ``gold.<LABEL>`` of every label. Scores are in percent,
times in seconds."""


def result_frame(plan: Plan, store: StepStore) -> "DataFrame":
    """What is done, in the order of the plan; :data:`COLUMNS` are there even if nothing is."""
    from pandas import DataFrame

    rows = list(_rows(plan, store))
    labels = sorted({name for row in rows for name in row} - set(COLUMNS))
    return DataFrame(rows, columns=[*COLUMNS, *labels])


def _rows(plan: Plan, store: StepStore) -> Iterator[dict[str, Any]]:
    study = plan.study
    for spec in plan.specs:
        if not store.has_result(spec.model):
            continue
        model = store.record(spec.model)
        for evaluation in spec.evaluations:
            if not store.has_result(evaluation):
                continue
            record = store.record(evaluation)
            yield {
                "study": study.name,
                "task": study.task.name,
                "backbone": study.backbone.name,
                "source": study.source,
                "strategy": spec.strategy,
                "language": evaluation.language,
                "seed": spec.seed,
                **record["outputs"]["micro"],
                **model["outputs"],
                "train_seconds": model["seconds"],
                "test_seconds": record["seconds"],
                "device": record["device"],
                "git_commit": record["git_commit"],
                "model_fingerprint": spec.model.fingerprint,
                "fingerprint": evaluation.fingerprint,
                **{
                    f"{what}.{label}": score[what]
                    for label, score in record["outputs"]["labels"].items()
                    for what in ("f1", "gold")
                },
            }


def as_csv(frame: "DataFrame") -> str:
    """Full precision, so that what is computed from it is what would be computed here."""
    return str(frame.to_csv(index=False))

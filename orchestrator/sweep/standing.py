"""Where a trial stands, from what its models have reported: pure functions on plain data."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from orchestrator.sweep.records import Point

Scores = Sequence[tuple[int, float]]
"""Fine-tuning steps and source-dev F1 of one model wherever its dev set was looked at, in order."""


def metric_along(metric: str, scores: Scores) -> dict[int, float]:
    """The metric of one model by fine-tuning step, as if it had ended there.

    >>> metric_along("dev_f1", [(20, 50.0), (40, 48.0)])
    {20: 50.0, 40: 50.0}
    >>> metric_along("dev_f1_last", [(20, 50.0), (40, 48.0)])
    {20: 50.0, 40: 48.0}
    """
    along: dict[int, float] = {}
    best = -1.0
    for step, score in scores:
        best = max(best, score)
        along[step] = score if metric == "dev_f1_last" else best
    return along


def curve_of(metric: str, models: Mapping[int, Sequence[Scores]]) -> tuple[Point, ...]:
    """The mean over seeds at every step that all models have reached.

    Args:
        metric: One of :data:`~orchestrator.sweep.settings.METRICS`.
        models: What the models of each seed have reported.
    """
    along = {
        seed: [metric_along(metric, scores) for scores in all_] for seed, all_ in models.items()
    }
    reached = set.intersection(*(set(one) for all_ in along.values() for one in all_))
    return tuple(
        Point(step=step, score=fmean(_of_seed(all_, step) for all_ in along.values()))
        for step in sorted(reached)
    )


def scores_by_seed(metric: str, models: Mapping[int, Sequence[Scores]]) -> dict[int, float]:
    """The metric of every seed all of whose models have a score, at the last step they share."""
    found: dict[int, float] = {}
    for seed, all_ in models.items():
        along = [metric_along(metric, scores) for scores in all_]
        reached = set.intersection(*(set(one) for one in along))
        if reached:
            found[seed] = _of_seed(along, max(reached))
    return found


def _of_seed(models: Sequence[Mapping[int, float]], step: int) -> float:
    """Mean over the models of one seed; several where each target has its own."""
    return fmean(model[step] for model in models)

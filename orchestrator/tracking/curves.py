"""Curves of models that train: what a running step tells of itself, as points of its run.

The same points are in the store once the step is done. They are then known by name, step and value,
whenever they were logged, so none is there twice.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.tracking.content import Point

TRAIN_LOSS, DEV_CURVE = "train_loss", "dev_f1_by_step"
LIVE = frozenset({TRAIN_LOSS, DEV_CURVE})
"""Names of points that are logged before their step is done."""


def live_points(state: Mapping[str, Any], when: int) -> Iterator[Point]:
    """What a running training has told last: its dev scores so far, and its latest loss.

    Args:
        state: As :class:`~orchestrator.steps.finetune.FinetuneStep` reports it; empty at first.
        when: Milliseconds since 1970.

    >>> state = {"done": 40, "of": 100, "loss": 0.5, "scores": [[20, 61.0], [40, 64.5]]}
    >>> [(one.name, one.step, one.value) for one in live_points(state, 0)]
    [('dev_f1_by_step', 20, 61.0), ('dev_f1_by_step', 40, 64.5), ('train_loss', 40, 0.5)]
    """
    for step, dev_f1 in state.get("scores", ()):
        yield Point(DEV_CURVE, dev_f1, when, step)
    if "loss" in state:
        yield Point(TRAIN_LOSS, state["loss"], when, state["done"])

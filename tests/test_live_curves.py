"""Curves of models that still train: seen while they grow, and once, whatever happens."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from orchestrator.execute import Failure
from orchestrator.plan import Plan, RunSpec
from orchestrator.results import training_curve
from orchestrator.store import StepStore
from orchestrator.tracking import BackgroundTracking, Tracker
from orchestrator.tracking.curves import DEV_CURVE, TRAIN_LOSS, live_points
from tests.tracked import Tracked


@pytest.fixture(autouse=True)
def _at_every_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.tracking.background.LIVE_SECONDS", 0.0)


@pytest.fixture
def spec(tracked: Tracked) -> RunSpec:
    return next(one for one in tracked.plan.specs if one.strategy == "mtl-ws")


@pytest.fixture
def unfinished(tracked: Tracked, spec: RunSpec, tmp_path: Path) -> StepStore:
    """The store before the model was trained."""
    for step in tracked.plan.steps:
        if step not in (spec.model, *spec.evaluations):
            copy(step, tracked.store, tmp_path)
    return StepStore(tmp_path)


def copy(step: Any, store: StepStore, root: Path) -> None:
    shutil.copytree(store.folder(step), root / step.kind / step.fingerprint)


def named(plan: Plan, name: str, specs: tuple[RunSpec, ...]) -> Plan:
    """Some models of the study, as an experiment of its own."""
    return Plan(plan.study.model_copy(update={"name": name}), specs, plan.steps)


def told(spec: RunSpec, store: StepStore, looks: int) -> dict[str, Any]:
    """What the training tells after it has looked at the dev set so many times."""
    curve = [one for one in training_curve(spec, store) if one["dev_f1"] is not None][:looks]
    scores = [[one["step"], one["dev_f1"]] for one in curve]
    return {"done": curve[-1]["step"], "of": 6, "loss": curve[-1]["loss"], "scores": scores}


def shown(uri: str, name: str) -> tuple[Run, Counter[tuple[str, int, float]]]:
    """The run of the one model, and how often each of its points is there."""
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], "tags.`xlwarm.kind` = 'model'")
    points = Counter(
        (metric, one.step, one.value)
        for metric in (DEV_CURVE, TRAIN_LOSS)
        if metric in run.data.metrics
        for one in client.get_metric_history(run.info.run_id, metric)
    )
    return run, points


def test_a_curve_grows_while_its_model_trains_and_every_point_is_there_once(
    tracked: Tracked, spec: RunSpec, unfinished: StepStore
) -> None:
    uri, plan = tracked.uri, named(tracked.plan, "live", (spec,))
    states = [told(spec, tracked.store, looks) for looks in (1, 2, 3)]

    interrupted = BackgroundTracking(plan, unfinished, uri)
    interrupted.started(spec.model)
    interrupted.tick({})
    interrupted.tick({spec.model.fingerprint: states[0]})
    interrupted.close("KILLED", {})
    run, points = shown(uri, "live")
    assert (run.info.status, {step for _, step, _ in points}) == ("KILLED", {2})

    killed = Tracker(plan, unfinished, uri)  # a driver that has no time to end well
    killed.start()
    killed.log_training(spec, 0, live_points(states[1], 1))
    run, points = shown(uri, "live")
    assert (run.info.status, {step for _, step, _ in points}) == ("RUNNING", {2, 4})

    last = BackgroundTracking(plan, unfinished, uri)
    last.started(spec.model)
    last.tick({spec.model.fingerprint: states[1]})
    for step in (spec.model, *spec.evaluations):
        copy(step, tracked.store, unfinished.root)
        last.finished(step)
    last.tick({spec.model.fingerprint: states[2]})  # read before it had ended
    last.close("FINISHED", {})
    assert last.problem is None
    run, points = shown(uri, "live")
    assert run.info.status == "FINISHED"
    curve = training_curve(spec, tracked.store)
    expected = {(DEV_CURVE, one["step"], one["dev_f1"]) for one in curve}
    assert points == Counter(expected | {(TRAIN_LOSS, one["step"], one["loss"]) for one in curve})

    Tracker(plan, unfinished, uri).finish("FINISHED", {"new.md": "so that it is sent again"})
    assert shown(uri, "live")[1] == points


def test_a_training_that_fails_leaves_no_run_running(
    tracked: Tracked, spec: RunSpec, unfinished: StepStore
) -> None:
    plan = named(tracked.plan, "live-failed", (spec,))
    tracking = BackgroundTracking(plan, unfinished, tracked.uri)
    tracking.started(spec.model)
    tracking.tick({spec.model.fingerprint: told(spec, tracked.store, 2)})
    tracking.failed(spec.model, Failure("the loss is no number", "none"))
    tracking.close("FAILED", {})
    run, points = shown(tracked.uri, "live-failed")
    assert (run.info.status, len(points)) == ("FAILED", 3)


def test_a_server_that_is_away_does_not_hear_of_curves_and_costs_nothing(
    tracked: Tracked, spec: RunSpec, unfinished: StepStore
) -> None:
    plan = named(tracked.plan, "away", (spec,))
    tracking = BackgroundTracking(plan, unfinished, "http://127.0.0.1:9")
    tracking.started(spec.model)
    tracking.tick({spec.model.fingerprint: told(spec, tracked.store, 1)})
    tracking.close("FINISHED", {})
    assert tracking.problem is not None

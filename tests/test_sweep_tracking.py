"""Sweeps in MLflow: one run for each trial, nested, complete, and never doubled."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from orchestrator.sweep.records import Cost, Point, Sweep, SweepRecords, Trial, TrialState
from orchestrator.sweep.tracking import BackgroundSweepTracking
from orchestrator.sweep.trials import TrialPlanner, sweep_of, trial_id
from tests.studies import write_study

RATES = (0.01, 0.02, 0.03, 0.04)


class Logged:
    """A sweep of four trials, one in each state, in a tracking database of its own."""

    def __init__(self, folder: Path, backbone: Path, new_tracking: Callable[[Path], str]) -> None:
        sweep = {"parameters": {"training.learning_rate": list(RATES)}, "strategy": "mtl-ws"}
        self.planner = TrialPlanner(read_study(write_study(folder, backbone, sweep=sweep)))
        self.store = StepStore(folder / "store")
        self.uri = new_tracking(self.store.root)
        self.sweep: Sweep = sweep_of(self.planner.study)
        self.records = SweepRecords(self.store.files, self.sweep.fingerprint)

    def trial(self, number: int, state: TrialState, **known: Any) -> Trial:
        settings = {"training.learning_rate": RATES[number]}
        ended = "" if state is TrialState.RUNNING else "2026-11-25T12:00:00+00:00"
        identity = trial_id(self.sweep.fingerprint, settings)
        return Trial(
            id=identity,
            number=number,
            settings=settings,
            seeds=(1,),
            state=state,
            ended=ended,
            **known,
        )

    def execute(self, trials: list[Trial], status: str) -> None:
        """Log as one execution of the sweep would, each trial when it starts and ends."""
        log = BackgroundSweepTracking(self.sweep, self.planner, self.store, self.uri)
        for trial in trials:
            started = trial.model_copy(update={"state": TrialState.RUNNING, "ended": ""})
            for record in (started, trial):
                self.records.write_trial(record)
                log.noted(record)
        log.close(status)
        assert log.problem is None

    def runs(self) -> dict[str, Run]:
        """By name."""
        client = MlflowClient(tracking_uri=self.uri)
        experiment = client.get_experiment_by_name("tiny")
        assert experiment is not None
        found = client.search_runs([experiment.experiment_id])
        names = [run.info.run_name for run in found]
        assert len(set(names)) == len(names), f"a run was logged twice: {names}"
        return {run.info.run_name: run for run in found}


@pytest.fixture(scope="module")
def logged(
    tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path, new_tracking: Callable[[Path], str]
) -> Logged:
    """Interrupted once; the next execution finished what ran and went on with what was stopped."""
    logged = Logged(tmp_path_factory.mktemp("sweep"), tiny_bert, new_tracking)
    good = {
        "scores": {1: 61.5},
        "curve": (Point(step=2, score=60.0), Point(step=4, score=61.5)),
        "executed": Cost(warmup=6, finetune=6),
        "naive": Cost(warmup=12, finetune=6),
        "finetune_steps": 6,
        "seconds": 3.5,
    }
    logged.execute(
        [
            logged.trial(0, TrialState.FINISHED, **good),
            logged.trial(1, TrialState.FAILED, reason="the loss became nan"),
            logged.trial(2, TrialState.STOPPED, reason="by asha at step 2", scores={1: 5.0}),
            logged.trial(3, TrialState.RUNNING),
        ],
        "KILLED",
    )
    return logged


def test_every_trial_has_one_run_below_that_of_the_sweep_with_its_status(logged: Logged) -> None:
    runs = logged.runs()
    parent = runs.pop("sweep-mtl-ws")
    assert {run.data.tags["mlflow.parentRunId"] for run in runs.values()} == {parent.info.run_id}
    assert {name: run.info.status for name, run in runs.items()} == {
        "trial-0": "FINISHED",
        "trial-1": "FAILED",
        "trial-2": "KILLED",
        "trial-3": "KILLED",  # its driver ended; the next execution goes on with it
    }
    assert runs["trial-1"].data.tags["xlwarm.reason"] == "the loss became nan"
    assert parent.data.metrics["trials_finished"] == 1
    assert parent.data.metrics["best_dev_f1"] == 61.5


def test_a_trial_has_every_setting_by_the_name_that_the_study_file_has(logged: Logged) -> None:
    params = logged.runs()["trial-0"].data.params
    assert params["training.learning_rate"] == "0.01"
    assert params["training.batch_size"] == "8"
    assert params["warmup.rounds"] == "3"
    assert params["strategy"] == "mtl-ws"
    every = [set(run.data.params) for name, run in logged.runs().items() if "trial" in name]
    assert every == [set(params)] * 4, "parallel coordinates need the same axes for all"


def test_a_finished_trial_has_its_scores_curve_and_costs(logged: Logged) -> None:
    run = logged.runs()["trial-0"]
    expected = {
        "dev_f1": 61.5,
        "dev_f1_std": 0.0,
        "dev_f1.seed1": 61.5,
        "warmup_steps_executed": 6.0,
        "warmup_steps_alone": 12.0,
        "finetune_steps_executed": 6.0,
        "finetune_steps": 6.0,
        "compute_seconds": 3.5,
    }
    assert expected.items() <= run.data.metrics.items()
    curve = MlflowClient(tracking_uri=logged.uri).get_metric_history(
        run.info.run_id, "dev_f1_by_step"
    )
    assert sorted((point.step, point.value) for point in curve) == [(2, 60.0), (4, 61.5)]


def test_the_next_execution_updates_runs_and_adds_none(logged: Logged) -> None:
    before = {name: run.info.run_id for name, run in logged.runs().items()}
    again = [
        logged.trial(n, TrialState.FINISHED, scores={1: 50.0 + n}, finetune_steps=6) for n in (2, 3)
    ]
    logged.execute(again, "FINISHED")
    runs = logged.runs()
    assert {name: run.info.run_id for name, run in runs.items()} == before
    assert runs["trial-2"].info.status == runs["trial-3"].info.status == "FINISHED"
    assert runs["trial-3"].data.metrics["dev_f1"] == 53.0
    assert runs["sweep-mtl-ws"].info.status == "FINISHED"

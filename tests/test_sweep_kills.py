"""A sweep whose driver is killed three times: the same table, and one MLflow run for each trial."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from orchestrator.store import StepStore
from orchestrator.sweep.records import SweepRecords, Trial, TrialState, all_sweeps
from tests.kills import own_processes
from tests.studies import write_study
from tests.sweeps import Sweeping

REPOSITORY = Path(__file__).parents[1]

RATES = [0.001, 0.002, 0.005, 0.01]
SETTINGS = {
    "targets": ["es"],
    "sweep": {
        "parameters": {"training.learning_rate": RATES},
        "strategy": "zero-shot",
        "concurrency": 2,
    },
}


def _driver(study: Path, store: Path) -> "subprocess.Popen[bytes]":
    command = "from orchestrator.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", command, "sweep", str(study), "--store", str(store)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _trials(store: Path) -> list[Trial]:
    files = StepStore(store).files
    return [
        trial
        for sweep in all_sweeps(files)
        for trial in SweepRecords(files, sweep.fingerprint).trials()
    ]


def _kill_after(driver: "subprocess.Popen[bytes]", events: int, store: Path) -> None:
    while _events(store) < events:
        assert driver.poll() is None, "the driver ended before it could be killed"
        time.sleep(0.02)
    below = list(own_processes(driver.pid))
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    for process in below:  # its own cluster, which no driver needs any more
        if process.is_running():
            process.kill()


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(900)  # four drivers, one after the other
def test_a_sweep_killed_three_times_has_the_table_and_the_runs_of_an_undisturbed_one(
    tiny_bert: Path, tmp_path: Path, new_tracking: Callable[[Path], str]
) -> None:
    (tmp_path / "calm").mkdir()
    calm = Sweeping(tmp_path / "calm", tiny_bert, **SETTINGS)
    calm.execute()
    study, store = write_study(tmp_path, tiny_bert, **SETTINGS), tmp_path / "store"
    new_tracking(store)
    for moment in sorted(random.Random(20261125).sample(range(1, 8), 3)):
        _kill_after(_driver(study, store), moment, store)
    assert _driver(study, store).wait() == 0

    trials = _trials(store)
    assert [_row(trial) for trial in trials] == [_row(trial) for trial in calm.trials()]
    assert _owned(trials) == _owned(calm.trials()), "a step was counted twice, or never"
    runs = _runs(store)
    assert sorted(runs) == ["sweep-zero-shot", "trial-0", "trial-1", "trial-2", "trial-3"]
    assert set(runs.values()) == {"FINISHED"}


def _events(store: Path) -> int:
    """Trials that began and trials that ended; eight in all."""
    trials = _trials(store)
    return len(trials) + sum(trial.state is TrialState.FINISHED for trial in trials)


def _row(trial: Trial) -> object:
    """Without the times, and which of two trials that began together was first at a shared step."""
    return trial.model_dump(exclude={"seconds", "ended", "owned"})


def _owned(trials: list[Trial]) -> list[str]:
    return sorted(step for trial in trials for step in trial.owned)


def _runs(store: Path) -> dict[str, str]:
    """Status by name of every run."""
    client = MlflowClient(tracking_uri=f"sqlite:///{store / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    statuses = {run.info.run_name: run.info.status for run in found}
    assert len(statuses) == len(found), "a run was logged twice"
    return statuses

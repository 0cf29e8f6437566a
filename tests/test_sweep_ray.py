"""What only Ray Tune can show: trials that hold nothing, coordinators that die, searchers."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from orchestrator.sweep.driver import SweepWork
from orchestrator.sweep.records import Cost, Trial, TrialState, total
from tests.kills import kill_process
from tests.studies import write_study
from tests.sweeps import Sweeping

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.timeout(900),  # every step starts a process, on a machine that may be busy
    pytest.mark.usefixtures("ray_cluster"),
]

COORDINATOR = "ResourceTrainable"
"""What Ray calls its process."""


def search(study_file: Path, store: StepStore, noted: Any = lambda _trial: None) -> list[Trial]:
    work = SweepWork.of(read_study(study_file), store)
    assert work.search(noted, Console(quiet=True)) is None
    return work.records.trials()


def test_warmups_on_actors_run_beside_waiting_trials_and_a_dead_coordinator_costs_nothing(
    tiny_bert: Path, tmp_path: Path
) -> None:
    """Two cores, four trials at once, warm-ups of two actors: were those in a trial's placement
    group, or did trials hold cores, nothing would ever start."""
    parameters = {"warmup.steps": [1, 2], "training.learning_rate": [0.01, 0.005]}
    sweep = {"parameters": parameters, "concurrency": 4}
    for folder in ("ray", "here"):
        (tmp_path / folder).mkdir()
    killed: list[bool] = []

    def kill_once(trial: Trial) -> None:
        if not killed and trial.state is TrialState.RUNNING:
            killed.append(kill_process(f"{COORDINATOR}"))

    study = write_study(tmp_path / "ray", tiny_bert, targets=["es", "de"], sweep=sweep)
    trials = search(study, StepStore(tmp_path / "ray" / "store"), kill_once)
    assert killed == [True]
    assert [trial.state for trial in trials] == [TrialState.FINISHED] * 4
    assert total(trial.executed for trial in trials).warmup == 3 * 1 + 3 * 2

    here = Sweeping(tmp_path / "here", tiny_bert, targets=["es", "de"], sweep=sweep)
    here.execute()
    assert [trial.scores for trial in trials] == [trial.scores for trial in here.trials()]


def test_a_searcher_that_learns_is_told_what_is_known_and_goes_on_from_there(
    tiny_bert: Path, tmp_path: Path
) -> None:
    """The other one does the same in one process: tests/test_sweep_search.py."""
    parameters = {
        "training.learning_rate": {"log-uniform": [1e-3, 1e-2]},
        "training.batch_size": {"integer": [4, 8]},
        "training.lr_decay": ["none", "linear"],
    }
    sweep = {"parameters": parameters, "strategy": "zero-shot", "searcher": "optuna"}
    store = StepStore(tmp_path / "store")
    first = search(write_study(tmp_path, tiny_bert, sweep=sweep | {"trials": 2}), store)
    both = search(write_study(tmp_path, tiny_bert, sweep=sweep | {"trials": 3}), store)
    assert [trial.state for trial in both] == [TrialState.FINISHED] * 3
    assert both[:2] == first
    assert both[2].executed == Cost(finetune=6)

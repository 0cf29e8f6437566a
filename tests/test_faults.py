"""Faults that are really caused: after each, the same bits, and nothing done twice but what broke.

What a run without Ray computes in one process, undisturbed, is what all of them must end with.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from orchestrator.execute import run_steps
from orchestrator.launcher import RayLauncher
from orchestrator.local import InProcessLauncher
from orchestrator.plan import Plan, make_plan
from orchestrator.resources import ResourceSettings
from orchestrator.results import results
from orchestrator.steps.base import Step
from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from tests.kills import Watch, kill_process, own_processes
from tests.studies import write_study

REPOSITORY = Path(__file__).parents[1]
FAST = {"project", "encode", "probe"}
SETTINGS = {
    "targets": ["es", "de"],
    "strategies": ["zero-shot", "mtl-ws"],
    "warmup": {"rounds": 80, "steps": 2, "outer_lr": 0.001},
    "training": {
        "learning_rate": 0.01,
        "batch_size": 8,
        "steps": 160,
        "select_after": 100,
        "evaluate_every": 60,
    },
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, tiny_xlmr: Path) -> Path:
    return write_study(tmp_path_factory.mktemp("study"), tiny_xlmr, **SETTINGS)


@pytest.fixture(scope="module")
def plan(study: Path) -> Plan:
    return make_plan(read_study(study))


@pytest.fixture(scope="module")
def calm(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> StepStore:
    """The store after an undisturbed run in one process."""
    root = tmp_path_factory.mktemp("calm")
    assert not run_steps(plan.steps, StepStore(root), InProcessLauncher(root), []).failed
    return StepStore(root)


def _assert_same_bits(plan: Plan, store: StepStore, calm: StepStore) -> None:
    _assert_same_weights(plan.steps, store, calm)
    assert results(plan, store) == results(plan, calm)


def _assert_same_weights(steps: Sequence[Step], store: StepStore, calm: StepStore) -> None:
    for step in steps:
        if step.kind in ("warmup", "finetune"):
            expected = load_file(calm.folder(step) / "model.safetensors")
            found = load_file(store.folder(step) / "model.safetensors")
            assert found.keys() == expected.keys()
            assert all(torch.equal(found[name], expected[name]) for name in expected), step.title()


def _copied(calm: StepStore, root: Path, kinds: set[str]) -> StepStore:
    for kind in kinds:
        shutil.copytree(calm.root / kind, root / kind)
    return StepStore(root)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize(
    ("kind", "process", "times_lost"),
    [
        ("warmup", "Host", 0),  # the actor is started again, the step goes on
        ("warmup", "warm up", 1),
        ("finetune", "train on", 1),
    ],
    ids=["language-actor", "warm-up", "training"],
)
def test_a_process_killed_in_the_middle_changes_no_bit_and_costs_its_own_step_alone(
    kind: str, process: str, times_lost: int, plan: Plan, calm: StepStore, tmp_path: Path
) -> None:
    there = FAST if kind == "warmup" else FAST | {"warmup"}
    store = _copied(calm, tmp_path, there)
    steps = [step for step in plan.steps if step.kind in there | {kind}]
    watch = Watch(lambda _step: kill_process(process), kind)
    outcome = run_steps(steps, store, RayLauncher(store, ResourceSettings()), [watch])
    assert watch.acted_on is not None
    assert not outcome.failed
    assert sum(outcome.lost.values()) == times_lost
    missing = [step for step in steps if step.kind == kind]
    assert watch.starts == Counter(step.fingerprint for step in missing) + outcome.lost
    _assert_same_weights(steps, store, calm)


def _run_driver(study: Path, root: Path) -> "subprocess.Popen[str]":
    command = "from orchestrator.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", command, "run", str(study), "--store", str(root)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "200"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _steps_in(lines: Sequence[str], what: str) -> list[str]:
    """Titles of the steps of which progress lines say ``start`` or ``done``."""
    marked = [line.partition(f" s  {what}") for line in lines]
    return [
        title.strip().rpartition(" in ")[0] or title.strip() for _, found, title in marked if found
    ]


def _signal_after(driver: "subprocess.Popen[str]", lines: int, number: int) -> list[str]:
    """Let the driver print so many lines, then send it a signal and wait for its end."""
    assert driver.stderr is not None
    seen = [driver.stderr.readline() for _ in range(lines)]
    below = list(own_processes(driver.pid))
    driver.send_signal(number)
    driver.wait()
    for process in below:  # its own cluster, which no driver needs any more
        if process.is_running():
            process.kill()
    with driver.stderr:
        return [*seen, *driver.stderr.read().splitlines()]


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(900)  # four drivers, one after the other
def test_a_driver_killed_at_random_moments_loses_only_what_ran_then(
    study: Path, plan: Plan, calm: StepStore, tmp_path: Path
) -> None:
    draw = random.Random(20261125)
    started: Counter[str] = Counter()
    interrupted: Counter[str] = Counter()
    for number in (signal.SIGINT, signal.SIGKILL, signal.SIGKILL):
        driver = _run_driver(study, tmp_path)
        lines = _signal_after(driver, draw.randint(2, 5), number)
        assert driver.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
        started.update(_steps_in(lines, "start"))
        interrupted += Counter(_steps_in(lines, "start")) - Counter(_steps_in(lines, "done"))
    _, rest = (driver := _run_driver(study, tmp_path)).communicate()
    assert driver.returncode == 0, rest
    started.update(_steps_in(rest.splitlines(), "start"))
    assert interrupted
    assert set(started) == {step.title() for step in plan.steps}
    assert all(started[title] <= 1 + interrupted[title] for title in started)
    _assert_same_bits(plan, StepStore(tmp_path), calm)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_drivers_on_one_study_at_once_share_the_work_and_do_nothing_twice(
    study: Path, plan: Plan, calm: StepStore, tmp_path: Path
) -> None:
    drivers = [_run_driver(study, tmp_path) for _ in range(2)]
    texts = [driver.communicate()[1] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], texts
    started = Counter(title for text in texts for title in _steps_in(text.splitlines(), "start"))
    assert started == Counter(step.title() for step in plan.steps)
    _assert_same_bits(plan, StepStore(tmp_path), calm)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("victim", ["warmup"])
def test_a_node_killed_under_a_study_whose_data_the_nodes_do_not_have_changes_no_bit(
    victim: str, study: Path, plan: Plan, calm: StepStore, tiny_xlmr: Path, tmp_path: Path
) -> None:
    """Three nodes; the data folder and the checkpoint are out of sight before any step starts."""
    there, checkpoint = tmp_path / "study", tmp_path / "checkpoint"
    shutil.copytree(tiny_xlmr, checkpoint)
    there.mkdir()
    write_study(there, checkpoint, **SETTINGS)
    done = subprocess.run(
        [sys.executable, "-m", "tests.three_nodes", there / "study.yaml", tmp_path / "s", victim],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["alive"] == 2
    assert found["failed"] == []
    assert found["computed"] == len(plan.steps)
    assert not there.exists()
    assert not checkpoint.exists()
    assert sum(found["starts"].values()) == len(plan.steps) + sum(found["lost"].values())
    _assert_same_bits(plan, StepStore(tmp_path / "s"), calm)

"""What only Ray can show: other processes, other numbers of workers, and workers that die."""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from orchestrator.cluster import RayLauncher
from orchestrator.execute import Resources, run_steps
from orchestrator.fingerprints import Json
from orchestrator.local import InProcessLauncher
from orchestrator.plan import Plan, make_plan
from orchestrator.results import results
from orchestrator.steps.base import Step
from orchestrator.store import StepStore
from orchestrator.study import ClusterSettings
from orchestrator.study_file import read_study
from projection.errors import InputError
from tests.studies import write_study

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.usefixtures("ray_cluster")]

WARM_ONLY = ["strategies=[mtl-ws]", "targets=[de, es, nl]"]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory, tiny_xlmr: Path) -> Plan:
    study = write_study(tmp_path_factory.mktemp("study"), tiny_xlmr)
    return make_plan(read_study(study, WARM_ONLY))


@pytest.fixture(scope="module")
def undisturbed(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> StepStore:
    """The plan computed without Ray, in one process."""
    root = tmp_path_factory.mktemp("in-process")
    run_steps(plan.steps, StepStore(root), InProcessLauncher(root), [])
    return StepStore(root)


def _weights(store: StepStore, plan: Plan, kind: str) -> dict[str, torch.Tensor]:
    (step,) = (step for step in plan.steps if step.kind == kind)
    return load_file(store.folder(step) / "model.safetensors")


@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_actors_warms_up_to_the_same_bits_as_one_process(
    workers: int, plan: Plan, undisturbed: StepStore, tmp_path: Path
) -> None:
    settings = ClusterSettings(warmup_workers=workers)
    outcome = run_steps(
        plan.steps, StepStore(tmp_path), RayLauncher(tmp_path, settings, threads=1), []
    )
    assert not outcome.failed
    for kind in ("warmup", "finetune"):
        expected = _weights(undisturbed, plan, kind)
        found = _weights(StepStore(tmp_path), plan, kind)
        assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert results(plan, StepStore(tmp_path)) == results(plan, undisturbed)


class KillAWorker:
    """Observer that kills a language actor once, when the first round is known to be done."""

    def __init__(self) -> None:
        self.killed = 0

    def started(self, step: Step) -> None:
        """Nothing."""

    finished = started

    def failed(self, step: Step, failure: object) -> None:
        """Nothing."""

    def tick(self, states: Mapping[str, Mapping[str, Json]]) -> None:
        if self.killed or not states:
            return
        hosts = [p for p in psutil.process_iter() if "ray::LanguageHost" in _command(p)]
        if hosts:
            os.kill(hosts[0].pid, signal.SIGKILL)
            self.killed = hosts[0].pid


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_a_killed_language_actor_changes_no_bit(
    tmp_path_factory: pytest.TempPathFactory, tiny_xlmr: Path, tmp_path: Path
) -> None:
    study = write_study(tmp_path_factory.mktemp("study"), tiny_xlmr)
    many_rounds = make_plan(read_study(study, [*WARM_ONLY, "warmup.rounds=400"]))
    warmup = next(step for step in many_rounds.steps if step.kind == "warmup")
    steps = many_rounds.steps[: many_rounds.steps.index(warmup) + 1]
    calm, disturbed = tmp_path / "calm", tmp_path / "disturbed"
    run_steps(steps, StepStore(calm), InProcessLauncher(calm), [])
    killer = KillAWorker()
    launcher = RayLauncher(disturbed, ClusterSettings(), threads=1)
    outcome = run_steps(steps, StepStore(disturbed), launcher, [killer])
    assert killer.killed
    assert not outcome.failed
    expected = _weights(StepStore(calm), many_rounds, "warmup")
    found = _weights(StepStore(disturbed), many_rounds, "warmup")
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_more_threads_than_any_node_has_cores_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="threads is 64, but the widest node"):
        RayLauncher(tmp_path, ClusterSettings(), threads=64)


def test_a_warmup_takes_its_workers_cores_and_they_never_exceed_the_cluster(
    plan: Plan, tmp_path: Path
) -> None:
    warmup = next(step for step in plan.steps if step.kind == "warmup")
    two = RayLauncher(tmp_path, ClusterSettings(), threads=1)
    three = RayLauncher(tmp_path, ClusterSettings(warmup_workers=3), threads=1)
    assert two.demand(warmup) == Resources(2, 0)
    assert three.demand(warmup).cpus == pytest.approx(1.98)
    assert three.demand(warmup).fits(three.room)


def test_a_submitted_step_returns_at_once(plan: Plan, tmp_path: Path) -> None:
    launcher = RayLauncher(tmp_path, ClusterSettings(), threads=1)
    project = next(step for step in plan.steps if step.kind == "project")
    launcher.submit(project)
    deadline = time.monotonic() + 60
    ended: list[object] = []
    while not ended and time.monotonic() < deadline:
        ended += launcher.collect(1.0)
    assert ended == [(project, None)]
    assert StepStore(tmp_path).is_done(project)

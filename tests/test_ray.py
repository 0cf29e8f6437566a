"""What only Ray can show: other processes, other numbers of workers, and workers that die."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from orchestrator.execute import run_steps
from orchestrator.launcher import RayLauncher
from orchestrator.local import InProcessLauncher
from orchestrator.plan import Plan, make_plan
from orchestrator.resources import ResourceSettings, StepResources
from orchestrator.results import results
from orchestrator.store import StepStore
from orchestrator.study import ClusterSettings
from orchestrator.study_file import read_study
from tests.studies import write_study
from trainers.settings import TrainSettings

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.usefixtures("ray_cluster")]

WARM_ONLY = ["strategies=[mtl-ws]", "targets=[de, es, nl]"]
SLOW = TrainSettings(
    learning_rate=0.01, batch_size=8, steps=100_000, select_after=0, evaluate_every=100_000
)


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


def _launcher(root: Path, workers: int | None = None, **resources: StepResources) -> RayLauncher:
    return RayLauncher(
        StepStore(root), ResourceSettings(**resources), ClusterSettings(warmup_workers=workers)
    )


def _weights(store: StepStore, plan: Plan, kind: str) -> dict[str, torch.Tensor]:
    (step,) = (step for step in plan.steps if step.kind == kind)
    return load_file(store.folder(step) / "model.safetensors")


def test_three_actors_warm_up_to_the_same_bits_as_one_process(
    plan: Plan, undisturbed: StepStore, tmp_path: Path
) -> None:
    """Other numbers of them, and each transport: tests/test_transports.py."""
    store = StepStore(tmp_path)
    outcome = run_steps(plan.steps, store, _launcher(tmp_path, workers=3), [])
    assert not outcome.failed
    for kind in ("warmup", "finetune"):
        expected = _weights(undisturbed, plan, kind)
        found = _weights(StepStore(tmp_path), plan, kind)
        assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert results(plan, StepStore(tmp_path)) == results(plan, undisturbed)


def test_a_step_that_no_node_could_hold_says_what_it_lacks(plan: Plan, tmp_path: Path) -> None:
    launcher = _launcher(tmp_path, finetune=StepResources(cpus=64, memory_gib=10_000))
    finetune = next(step for step in plan.steps if step.kind == "finetune")
    problem = str(launcher.refusal(finetune))
    assert "it needs 64 cores, the best node has 2" in problem
    assert "10000.00 GiB of memory (resources.finetune.memory_gib)" in problem


def test_a_step_that_takes_too_long_is_ended_and_fails_and_is_not_tried_again(
    plan: Plan, tmp_path: Path
) -> None:
    before = [step for step in plan.steps if step.kind in ("project", "encode", "probe")]
    launcher = _launcher(tmp_path, finetune=StepResources(timeout_minutes=0.001))
    finetune = next(step for step in plan.steps if step.kind == "finetune")
    slow = replace(finetune, warmup=None, training=SLOW)
    outcome = run_steps([*before, slow], StepStore(tmp_path), launcher, [])
    [(step, failure)] = outcome.failed.values()
    assert step == slow
    assert "not done after 0.001 minutes" in failure.message
    assert not outcome.lost


def test_a_replicas_measured_memory_is_asked_of_ray(plan: Plan, undisturbed: StepStore) -> None:
    launcher = _launcher(undisturbed.root)
    probe, finetune = (
        next(step for step in plan.steps if step.kind == kind) for kind in ("probe", "finetune")
    )
    [part] = launcher.demand(finetune)
    assert part.memory == pytest.approx(1.05 * undisturbed.outputs(probe)["train"])
    assert part.memory > 100 * 2**20


def test_a_submitted_step_returns_at_once(plan: Plan, tmp_path: Path) -> None:
    launcher = _launcher(tmp_path)
    project = next(step for step in plan.steps if step.kind == "project")
    launcher.submit(project)
    deadline = time.monotonic() + 60
    ended: list[object] = []
    while not ended and time.monotonic() < deadline:
        ended += launcher.collect(1.0)
    assert ended == [(project, None)]
    assert StepStore(tmp_path).is_done(project)

"""A whole study in a store that is no folder: the same numbers, read from other machines."""

from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from experiments.tables import render
from orchestrator.driver import run_study
from orchestrator.execute import run_steps
from orchestrator.local import InProcessLauncher
from orchestrator.plan import Plan, make_plan
from orchestrator.results import results
from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from projection.errors import InputError
from tests.stores import store_location
from tests.studies import write_study

pytestmark = pytest.mark.usefixtures("own_places")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory, tiny_xlmr: Path) -> Plan:
    study = write_study(tmp_path_factory.mktemp("study"), tiny_xlmr)
    return make_plan(read_study(study, ["strategies=[mtl-ws]"]))


def _computed(plan: Plan, location: Path | str) -> StepStore:
    store = StepStore(location)
    outcome = run_steps(plan.steps, store, InProcessLauncher(location), [])
    assert not outcome.failed
    assert len(outcome.computed) == len(plan.steps)
    return store


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_a_study_ends_alike_in_a_folder_and_behind_a_uri(
    kind: str, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = _computed(plan, tmp_path / "folder")
    there = _computed(plan, store_location(kind, tmp_path))
    assert results(plan, there) == results(plan, here)
    monkeypatch.setenv("XLWARM_CACHE", str(tmp_path / "another-machine"))
    elsewhere = StepStore(there.location)
    assert render(plan, elsewhere, "markdown") == render(plan, here, "markdown")
    (model,) = (step for step in plan.steps if step.kind == "finetune")
    ours, theirs = (
        load_file(store.folder(model) / "model.safetensors") for store in (here, elsewhere)
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_study_does_not_run_into_the_memory_of_one_process(plan: Plan) -> None:
    with pytest.raises(InputError, match="is in the memory of one process"):
        run_study(plan, StepStore("memory://store"), "", lambda _plan, _store: {}, Console())

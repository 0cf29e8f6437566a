"""A tiny study that was really trained."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.execute import run_steps
from orchestrator.local import InProcessLauncher
from orchestrator.plan import Plan, make_plan
from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from tests.studies import write_study


@dataclass(frozen=True)
class Trained:
    """A study file, its plan, and a store that has all of it."""

    file: Path
    plan: Plan
    store: StepStore


def train(folder: Path, backbone: Path, **settings: Any) -> Trained:
    """Write the study into ``folder`` and train it in this process; ``settings`` replace keys."""
    file = write_study(folder, backbone, **settings)
    plan, store = make_plan(read_study(file)), StepStore(folder / "store")
    outcome = run_steps(plan.steps, store, InProcessLauncher(store.root), [])
    assert not outcome.failed
    return Trained(file, plan, store)

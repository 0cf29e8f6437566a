"""A whole sweep: Ray, Tune, MLflow and the view around the engine."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich.console import Console

from orchestrator.claims import SharedClaims
from orchestrator.cluster import NAMESPACE, check_store, cluster
from orchestrator.failures import FailureNotes
from orchestrator.inputs import keep_inputs
from orchestrator.launcher import RayLauncher
from orchestrator.plan import RunSpec
from orchestrator.reuse import missing_steps
from orchestrator.steps.base import Step
from orchestrator.store import StepStore
from orchestrator.study import Study
from orchestrator.sweep.agenda import Agenda, agenda
from orchestrator.sweep.desk import Desk, Report
from orchestrator.sweep.engine import Engine
from orchestrator.sweep.records import Sweep, SweepRecords, Trial
from orchestrator.sweep.search import Search
from orchestrator.sweep.settings import Scheduler, SweepSettings
from orchestrator.sweep.tracking import BackgroundSweepTracking
from orchestrator.sweep.trials import TrialPlanner, steps_of, sweep_block, sweep_of
from orchestrator.sweep.tuning import TuneThread
from orchestrator.sweep.view import SweepView
from projection.errors import InputError

MOST_AT_ONCE = 32
"""Trials, unless the study says otherwise: each has a process that waits."""


@dataclass(frozen=True, slots=True)
class SweepRun:
    """How the execution of a sweep ended."""

    sweep: Sweep
    trials: tuple[Trial, ...]
    over: str | None
    """Why it ended before its search did."""
    tracking_problem: str | None
    """Why MLflow lacks something, or None."""


class _DeskReports:
    """Puts reports on the desk of the cluster."""

    def __init__(self, desk: Any) -> None:
        self._desk = desk

    def put(self, key: str, reports: list[Report]) -> None:
        self._desk.put.remote(key, reports)

    def forget(self, key: str) -> None:
        self._desk.forget.remote(key)


def run_sweep(study: Study, store: StepStore, tracking: str, console: Console) -> SweepRun:
    """Go on with the sweep of ``study`` until its budget is used up.

    Args:
        study: With a ``sweep`` block.
        store: Of the steps and records; every node must see it.
        tracking: MLflow URI.
        console: For the progress view.

    Raises:
        InputError: It cannot run here.
    """
    if not store.is_shared:
        raise InputError(
            f"the store {store.location} is in the memory of one process, but steps run in many; "
            "name a folder or the URI of a file system"
        )
    store.root.mkdir(parents=True, exist_ok=True)
    work = SweepWork.of(study, store)
    settings = study.cluster
    if not work.todo.trials:
        return work.with_tracking(tracking, lambda _noted: None)

    def search(noted: Noted) -> str | None:
        with cluster(settings.address, ship_code=settings.code == "ship"):
            if settings.address is not None:
                check_store(store)
            return work.search(noted, console)

    return work.with_tracking(tracking, search)


Noted = Callable[[Trial], None]
"""Told of every record that has changed."""


@dataclass(frozen=True)
class SweepWork:
    """A sweep, and what is left of it to do."""

    planner: TrialPlanner
    sweep: Sweep
    store: StepStore
    todo: Agenda
    base: tuple[RunSpec, ...]
    """Models with the study's own values of what is swept."""

    @classmethod
    def of(cls, study: Study, store: StepStore) -> "SweepWork":
        """What ``store`` lacks of the sweep of ``study``, which is written down as begun."""
        planner, sweep = TrialPlanner(study), sweep_of(study)
        records = SweepRecords(store.files, sweep.fingerprint)
        if before := records.sweep():
            sweep = sweep.model_copy(update={"started": before.started})
        todo, base = agenda(planner, sweep, records.trials()), planner.models({})
        records.write_sweep(sweep)
        return cls(planner, sweep, store, todo, base)

    @property
    def records(self) -> SweepRecords:
        """Of the sweep."""
        return SweepRecords(self.store.files, self.sweep.fingerprint)

    def with_tracking(self, uri: str, search: Callable[[Noted], str | None]) -> SweepRun:
        """``search``, which says why it ended early, with MLflow beside it."""
        log = BackgroundSweepTracking(self.sweep, self.planner, self.store, uri)
        status, over = "KILLED", None
        try:
            over = search(log.noted)
            status = "KILLED" if over else "FINISHED"
        finally:
            log.close(status)
        return SweepRun(self.sweep, tuple(self.records.trials()), over, log.problem)

    def search(self, noted: Noted, console: Console) -> str | None:
        """Do what is left on the Ray cluster that is connected; why it ended early, or None."""
        study, block = self.planner.study, sweep_block(self.planner.study)
        launcher = RayLauncher(self.store, study.resources, study.cluster)
        for step in steps_of(self.base):
            if problem := launcher.refusal(step):
                raise InputError(f"{step.title()}: {problem}")
        name, folder = f"desk-{uuid4().hex}", Path(tempfile.mkdtemp(prefix="xlwarm-tune-"))
        desk = Desk.options(name=name, namespace=NAMESPACE).remote()  # type: ignore[attr-defined]
        tuning = TuneThread(self._search(block, launcher), name, folder)
        view = SweepView(self.sweep, block.size, self.records.trials(), console)
        engine = Engine(
            self.sweep,
            self.planner,
            self.store,
            _DeskReports(desk),
            self.todo.numbers,
            each=block.scheduler.name is not Scheduler.NONE,
            noted=[view.noted, noted],
            prepare=self._keep_inputs,
            seconds=None if block.minutes is None else 60 * block.minutes,
        )
        with SharedClaims(self.store) as claims, view:
            try:
                tuning.start()
                engine.run(tuning, launcher, [view, FailureNotes(self.store)], claims)
            finally:
                tuning.end()
                launcher.cancel()
                shutil.rmtree(folder, ignore_errors=True)
        return engine.over

    def _search(self, block: SweepSettings, launcher: RayLauncher) -> Search:
        todo, study = self.todo, self.planner.study
        return Search(
            block,
            todo.points,
            todo.trials,
            min(todo.trials, block.concurrency or _at_once(launcher, self.base)),
            _longest(self.planner, block),
            study.training.select_after,
        )

    def _keep_inputs(self, steps: Sequence[Step]) -> None:
        """Nodes of another cluster may have no file of this machine."""
        if self.planner.study.cluster.address is not None:
            keep_inputs(missing_steps(steps, self.store), self.store)


def _at_once(launcher: RayLauncher, base: Sequence[RunSpec]) -> int:
    """More trials than the cluster has room for: some wait for the warm-up of others."""
    model = base[0].model
    (part, *_), nodes = launcher.demand(model), launcher.nodes().values()
    room = sum(
        int(
            min(_times(n.cpus, part.cpus), _times(n.gpus, part.gpus), _times(n.memory, part.memory))
        )
        for n in nodes
    )
    return max(2, min(MOST_AT_ONCE, 4 * (room // len(base) + 1)))


def _times(has: float, takes: float) -> float:
    return has // takes if takes else MOST_AT_ONCE


def _longest(planner: TrialPlanner, block: SweepSettings) -> int:
    """Fine-tuning steps of the longest trial."""
    parameter = block.parameters.get("training.steps")
    steps = planner.study.training.steps
    if parameter is None:
        return steps
    ends = getattr(parameter, "values", None) or (getattr(parameter, "high", steps),)
    return int(max(ends))

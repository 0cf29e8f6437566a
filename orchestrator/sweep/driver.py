"""A whole sweep: Ray, Tune, MLflow and the view around the engine."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich.console import Console

from orchestrator.claims import SharedClaims
from orchestrator.cluster import NAMESPACE, check_store, cluster
from orchestrator.inputs import keep_inputs
from orchestrator.launcher import RayLauncher
from orchestrator.plan import RunSpec
from orchestrator.steps.base import Step
from orchestrator.store import StepStore
from orchestrator.study import Study
from orchestrator.sweep.desk import Desk, Report
from orchestrator.sweep.engine import Engine
from orchestrator.sweep.points import contains, draws, grid
from orchestrator.sweep.records import Sweep, SweepRecords, Trial, TrialState
from orchestrator.sweep.settings import Scheduler, Searcher, SweepSettings
from orchestrator.sweep.space import Settings
from orchestrator.sweep.tracking import BackgroundSweepTracking
from orchestrator.sweep.trials import (
    TrialPlanner,
    numbered,
    steps_of,
    sweep_block,
    sweep_of,
    trial_id,
)
from orchestrator.sweep.tuning import Search, TuneThread
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


@dataclass(frozen=True)
class Agenda:
    """What Tune is to go through.

    Args:
        points: In this order; a searcher that learns goes on with its own ideas.
        trials: In all.
        numbers: Of the trials that are foreseen, by id.
    """

    points: tuple[Settings, ...]
    trials: int
    numbers: dict[str, int]


def agenda(planner: TrialPlanner, sweep: Sweep, known: Sequence[Trial]) -> Agenda:
    """What is to be tried, beside what is ``known``.

    Finished trials are told again to a searcher that learns and to a scheduler that compares;
    others need not hear of them.
    """
    block = sweep_block(planner.study)
    finished = {trial.id for trial in known if trial.state is TrialState.FINISHED}
    if block.searcher in (Searcher.OPTUNA, Searcher.NEVERGRAD):
        points = [t.settings for t in known if contains(sweep.parameters, t.settings)]
        left = block.size - len(known)
        idle = left <= 0 and all(trial.id in finished for trial in known)
        return Agenda((), 0, {}) if idle else Agenda(tuple(points), len(points) + max(0, left), {})
    listed = {trial_id(sweep.fingerprint, one): one for one in _listed(planner, block, known)}
    numbers = numbered(known, list(listed))
    if block.scheduler.name is Scheduler.NONE or set(listed) <= finished:
        listed = {key: one for key, one in listed.items() if key not in finished}
    return Agenda(tuple(listed.values()), len(listed), numbers)


def _listed(planner: TrialPlanner, block: SweepSettings, known: Sequence[Trial]) -> list[Settings]:
    """All points of a grid, or enough draws that there are as many trials as were asked for."""
    space = block.parameters
    if block.searcher is Searcher.GRID:
        return [_plain(planner, one) for one in islice(grid(space), block.size)]
    earlier = {tuple(trial.settings.items()): trial.settings for trial in known}
    found = dict(earlier)
    for drawn in islice(draws(space, block.search_seed), 10 * block.size):
        if len(found) >= block.size:
            break
        settings = _plain(planner, drawn)
        found.setdefault(tuple(settings.items()), settings)
    return [one for one in found.values() if contains(space, one)]


def _plain(planner: TrialPlanner, drawn: Settings) -> Settings:
    try:
        return planner.settings(drawn)
    except InputError:  # the trial will say so
        return dict(sorted(drawn.items()))


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
    planner, sweep = TrialPlanner(study), sweep_of(study)
    records = SweepRecords(store.files, sweep.fingerprint)
    before = records.sweep()
    if before is not None:
        sweep = sweep.model_copy(update={"started": before.started})
    todo = agenda(planner, sweep, records.trials())
    base = planner.models({})
    records.write_sweep(sweep)
    log = BackgroundSweepTracking(sweep, planner, store, tracking)
    status, over = "KILLED", None
    try:
        if todo.trials:
            with SweepView(sweep, sweep_block(study).size, records.trials(), console) as view:
                over = _search(planner, sweep, store, todo, base, view, log)
        status = "KILLED" if over else "FINISHED"
    finally:
        log.close(status)
    return SweepRun(sweep, tuple(records.trials()), over, log.problem)


def _search(
    planner: TrialPlanner,
    sweep: Sweep,
    store: StepStore,
    todo: Agenda,
    base: Sequence[RunSpec],
    view: SweepView,
    log: BackgroundSweepTracking,
) -> str | None:
    study, block = planner.study, sweep_block(planner.study)
    settings = study.cluster
    with cluster(settings.address, ship_code=settings.code == "ship"):
        if settings.address is not None:
            check_store(store)
        launcher = RayLauncher(store, study.resources, settings)
        for step in steps_of(base):
            if problem := launcher.refusal(step):
                raise InputError(f"{step.title()}: {problem}")
        search = Search(
            block,
            todo.points,
            todo.trials,
            min(todo.trials, block.concurrency or _at_once(launcher, base)),
            _longest(planner, block),
            study.training.select_after,
        )
        name = f"desk-{uuid4().hex}"
        desk = Desk.options(name=name, namespace=NAMESPACE).remote()  # type: ignore[attr-defined]
        engine = Engine(
            sweep,
            planner,
            store,
            _DeskReports(desk),
            todo.numbers,
            each=block.scheduler.name is not Scheduler.NONE,
            noted=[view.noted, log.noted],
            prepare=_keeper(store) if settings.address is not None else lambda _steps: None,
            seconds=None if block.minutes is None else 60 * block.minutes,
        )
        folder = Path(tempfile.mkdtemp(prefix="xlwarm-tune-"))
        tuning = TuneThread(search, name, folder)
        with SharedClaims(store) as claims:
            try:
                tuning.start()
                engine.run(tuning, launcher, [view], claims)
            finally:
                tuning.end()
                launcher.cancel()
                shutil.rmtree(folder, ignore_errors=True)
        return engine.over


def _keeper(store: StepStore) -> Any:
    def keep(steps: Sequence[Step]) -> None:
        keep_inputs([step for step in steps if not store.is_done(step)], store)

    return keep


def _at_once(launcher: RayLauncher, base: Sequence[RunSpec]) -> int:
    """Somewhat more trials than the cluster has room for, so that it never waits for Tune."""
    model = base[0].model
    (part, *_), nodes = launcher.demand(model), launcher.nodes().values()
    room = sum(
        int(
            min(_times(n.cpus, part.cpus), _times(n.gpus, part.gpus), _times(n.memory, part.memory))
        )
        for n in nodes
    )
    return max(2, min(MOST_AT_ONCE, room // len(base) + 2))


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

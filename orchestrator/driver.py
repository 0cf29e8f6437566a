"""Running a whole study on Ray, with MLflow beside it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console

from orchestrator.claims import SharedClaims
from orchestrator.cluster import check_store, cluster
from orchestrator.execute import Observer, Outcome, run_steps
from orchestrator.failures import FailureNotes
from orchestrator.inputs import keep_inputs
from orchestrator.launcher import RayLauncher
from orchestrator.plan import Plan
from orchestrator.progress import ProgressView
from orchestrator.reuse import missing_steps
from orchestrator.steps.base import Step
from orchestrator.store import StepStore
from orchestrator.tracking import BackgroundTracking
from projection.errors import InputError

Render = Callable[[Plan, StepStore], Mapping[str, str]]
"""The study's tables as texts by file name, logged with the study."""


@dataclass(frozen=True, slots=True)
class StudyRun:
    """How the execution of a study ended."""

    outcome: Outcome
    tracking_problem: str | None
    """Why MLflow lacks something, or None."""


def run_study(
    plan: Plan,
    store: StepStore,
    tracking: str,
    render: Render,
    console: Console,
    steps: Sequence[Step] | None = None,
    page: Render = lambda _plan, _store: {},
) -> StudyRun:
    """Compute what the store lacks, log everything.

    Args:
        plan: Of the study.
        store: Of the steps; every node must see it.
        tracking: MLflow URI.
        render: Makes the tables when all is done.
        console: For the progress view.
        steps: Those of the plan to compute, with all that they need; None: every one.
        page: Makes more texts, which may take a while: not of a study that was interrupted.

    Raises:
        InputError: The study cannot run here.
    """
    if not store.is_shared:
        raise InputError(
            f"the store {store.location} is in the memory of one process, but steps run in many; "
            "name a folder or the URI of a file system"
        )
    store.root.mkdir(parents=True, exist_ok=True)
    log = BackgroundTracking(plan, store, tracking)
    chosen = plan.steps if steps is None else steps
    status, pages = "KILLED", dict[str, str]()
    try:
        missing = missing_steps(chosen, store)
        if not missing:
            outcome = Outcome(reused=list(chosen))
        else:
            with ProgressView(chosen, store, console) as view:
                outcome = _compute(plan, chosen, missing, store, [view, log, FailureNotes(store)])
        status = _status(plan, store, outcome)
        pages |= page(plan, store)
    finally:
        log.close(status, {**render(plan, store), **pages})
    return StudyRun(outcome, log.problem)


def _status(plan: Plan, store: StepStore, outcome: Outcome) -> str:
    """Of the study's run in MLflow; part of a study that went well leaves it unfinished."""
    if outcome.failed:
        return "FAILED"
    return "FINISHED" if all(store.has_result(step) for step in plan.steps) else "KILLED"


def _compute(
    plan: Plan,
    steps: Sequence[Step],
    missing: Sequence[Step],
    store: StepStore,
    observers: Sequence[Observer],
) -> Outcome:
    settings = plan.study.cluster
    with cluster(settings.address, ship_code=settings.code == "ship"):
        if settings.address is not None:
            check_store(store)
            keep_inputs(missing, store)
        launcher = RayLauncher(store, plan.study.resources, settings)
        for step in missing:
            if problem := launcher.refusal(step):
                raise InputError(f"{step.title()}: {problem}")
        with SharedClaims(store) as claims:
            try:
                return run_steps(steps, store, launcher, observers, claims=claims)
            finally:
                launcher.cancel()

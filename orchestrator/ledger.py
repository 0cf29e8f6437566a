"""How it stands with every cell of a study: a strategy, a language and a seed (DESIGN §6).

A cell is done when its model and its evaluation are. Of one that is not, the steps behind it say
what it is. It has failed if the last attempt at one of them did and nobody tries again; else it is
running if a driver has a lease of one of them; else it is missing.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.plan import Plan, RunSpec
from orchestrator.reuse import Known, missing_steps
from orchestrator.sharing import behind
from orchestrator.steps.base import Step
from orchestrator.steps.evaluate import EvaluateStep
from orchestrator.store import StepStore
from orchestrator.store.failures import FailureNote, failure_notes
from orchestrator.store.files import Files
from orchestrator.store.inventory import live_leases
from orchestrator.store.leases import LeaseNote


class CellState(StrEnum):
    """How it stands with a cell, the best first."""

    DONE = "done"
    RUNNING = "running"
    """A driver computes something that it needs."""
    MISSING = "missing"
    """Nobody computes it, and nothing stands in its way."""
    FAILED = "failed"
    """Something that it needs failed, and nobody tries again."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The driver that computes a step now."""

    where: str
    """Process and host, or nothing if its lease cannot be read."""
    silent: float
    """Seconds since it was heard of, by the clocks; one that is alive is heard every 15."""


@dataclass(frozen=True)
class Standing:
    """What is known of steps."""

    store: Known
    """Says what is done."""
    running: Mapping[str, Holder] = field(default_factory=dict)
    """Who computes a step, by fingerprint."""
    failed: Mapping[str, FailureNote] = field(default_factory=dict)
    """Notes of steps whose last attempt failed, by fingerprint."""
    logged: frozenset[str] | None = None
    """Fingerprints of the result runs that MLflow has; None: nobody asked it, or no answer."""


@dataclass(frozen=True)
class LedgerCell:
    """One cell of one study."""

    study: str
    task: str
    backbone: str
    strategy: str
    language: str
    seed: int
    state: CellState
    left: tuple[Step, ...]
    """To compute, needed ones first; several cells may need the same."""
    why: tuple[FailureNote, ...] = ()
    """Of a cell that failed."""
    holders: tuple[tuple[Step, Holder], ...] = ()
    """Steps of a running cell that are being computed."""
    logged: bool | None = None
    """Whether MLflow has its result; None if that is not known."""


def standing_in(store: StepStore, logged: frozenset[str] | None = None) -> Standing:
    """What ``store`` says of steps, now."""
    running = {
        name.split("/")[2]: Holder(_where(note), _silence(store.files, name))
        for name, note in live_leases(store.files).items()
    }
    failed = {note.fingerprint: note for _, note in failure_notes(store.files)}
    return Standing(store, running, failed, logged)


def _where(note: LeaseNote | None) -> str:
    return f"process {note.pid} on {note.host}" if note else ""


def _silence(files: Files, name: str) -> float:
    try:
        return max(0.0, files.age(name))
    except FileNotFoundError:
        return 0.0  # it was given back a moment ago


def ledger(plan: Plan, standing: Standing) -> list[LedgerCell]:
    """Every cell of a study, strategies and languages in its order, then seeds."""
    missing = {step.fingerprint for step in missing_steps(plan.steps, standing.store)}
    cells = [
        _cell(plan, spec, evaluation, standing, missing)
        for spec in plan.specs
        for evaluation in spec.evaluations
    ]
    study = plan.study
    return sorted(
        cells,
        key=lambda cell: (
            study.strategies.index(cell.strategy),
            study.targets.index(cell.language),
            study.seeds.index(cell.seed),
        ),
    )


def _cell(
    plan: Plan, spec: RunSpec, evaluation: EvaluateStep, standing: Standing, missing: Set[str]
) -> LedgerCell:
    left = _left(spec, evaluation, standing.store, missing)
    running = [step for step in left if step.fingerprint in standing.running]
    failed = [
        standing.failed[step.fingerprint]
        for step in left
        if step.fingerprint in standing.failed and step.fingerprint not in standing.running
    ]
    logged = standing.logged
    return LedgerCell(
        study=plan.study.name,
        task=plan.study.task.name,
        backbone=plan.study.backbone.name,
        strategy=spec.strategy,
        language=evaluation.language,
        seed=spec.seed,
        state=_state(left, running, failed),
        left=tuple(left),
        why=tuple(failed),
        holders=tuple((step, standing.running[step.fingerprint]) for step in running),
        logged=None if logged is None else spec.result_fingerprint(evaluation.language) in logged,
    )


def _left(spec: RunSpec, evaluation: EvaluateStep, store: Known, missing: Set[str]) -> list[Step]:
    """What a run would compute for one cell; nothing if its result can be read."""
    if store.has_result(spec.model) and store.has_result(evaluation):
        return []
    return [step for step in behind(evaluation) if step.fingerprint in missing]


def _state(
    left: Sequence[Step], running: Sequence[Step], failed: Sequence[FailureNote]
) -> CellState:
    if not left:
        return CellState.DONE
    if failed:
        return CellState.FAILED
    return CellState.RUNNING if running else CellState.MISSING


def steps_left(cells: Iterable[LedgerCell], *states: CellState) -> list[Step]:
    """Distinct steps to compute for the ``cells`` in one of ``states``, needed ones first."""
    found = {step.fingerprint: step for cell in cells if cell.state in states for step in cell.left}
    return list(found.values())


def steps_for(cells: Iterable[LedgerCell], *states: CellState) -> list[Step]:
    """The same with the steps behind them that are done, which a run reads."""
    found = {
        needed.fingerprint: needed for step in steps_left(cells, *states) for needed in behind(step)
    }
    return list(found.values())

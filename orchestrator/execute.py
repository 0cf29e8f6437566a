"""Running the steps of a plan: each as soon as what it needs is done and there is room.

Knows nothing of Ray: a :class:`Launcher` computes the steps, wherever that is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.fingerprints import Json
from orchestrator.steps.base import Step
from orchestrator.store import StepStore


@dataclass(frozen=True, slots=True)
class Resources:
    """Cores and GPUs, of a cluster or of a step."""

    cpus: float
    gpus: float = 0.0

    def fits(self, room: "Resources") -> bool:
        """True if there is room for this much; sums of fractions may be off by a hair."""
        return self.cpus <= room.cpus + 1e-9 and self.gpus <= room.gpus + 1e-9

    def __sub__(self, other: "Resources") -> "Resources":
        return Resources(self.cpus - other.cpus, self.gpus - other.gpus)

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(self.cpus + other.cpus, self.gpus + other.gpus)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step has no result, and the log with the whole story."""

    message: str
    log: str


class Launcher(Protocol):
    """Computes steps somewhere."""

    @property
    def room(self) -> Resources:
        """What there is in all."""

    def demand(self, step: Step) -> Resources:
        """What ``step`` will take."""

    def submit(self, step: Step) -> None:
        """Start ``step``; returns at once."""

    def collect(self, timeout: float) -> Sequence[tuple[Step, Failure | None]]:
        """Steps that ended within ``timeout`` seconds."""

    def states(self) -> Mapping[str, Mapping[str, Json]]:
        """What running steps last reported, by fingerprint."""


class Observer(Protocol):
    """Told what happens to the steps of a plan."""

    def started(self, step: Step) -> None:
        """``step`` was submitted."""

    def finished(self, step: Step) -> None:
        """``step`` is done, now or in an earlier run."""

    def failed(self, step: Step, failure: Failure) -> None:
        """``step`` has no result."""

    def tick(self, states: Mapping[str, Mapping[str, Json]]) -> None:
        """Some time has passed."""


TICK_SECONDS = 0.5

COST = {
    "translate": 5.0,
    "project": 0.2,
    "encode": 0.5,
    "warmup": 10.0,
    "finetune": 10.0,
    "evaluate": 1.0,
}
"""Rough relative times: to start the longest chains first, and to guess the time left."""


@dataclass
class Outcome:
    """How a plan ended."""

    computed: list[Step] = field(default_factory=list)
    reused: list[Step] = field(default_factory=list)
    failed: dict[str, tuple[Step, Failure]] = field(default_factory=dict)
    skipped: list[Step] = field(default_factory=list)
    """Steps that need a failed one."""


def run_steps(
    steps: Sequence[Step], store: StepStore, launcher: Launcher, observers: Sequence[Observer]
) -> Outcome:
    """Compute the ``steps`` that are not in ``store`` yet.

    Args:
        steps: Needed ones before those that need them.
        store: Says what is done.
        launcher: Computes.
        observers: Told of everything, in order.
    """
    outcome = Outcome(reused=[step for step in steps if store.is_done(step)])
    for step in outcome.reused:
        _tell(observers, "finished", step)
    done = {step.fingerprint for step in outcome.reused}
    ranks = rank_by_chain(steps)
    waiting = sorted(
        (step for step in steps if step.fingerprint not in done),
        key=lambda step: -ranks[step.fingerprint],
    )
    running: dict[str, Step] = {}
    room = launcher.room
    while waiting or running:
        waiting = _without_hopeless(waiting, outcome)
        for step in _startable(waiting, done):
            demand = launcher.demand(step)
            if not demand.fits(room):
                break
            room -= demand
            waiting.remove(step)
            running[step.fingerprint] = step
            launcher.submit(step)
            _tell(observers, "started", step)
        for step, failure in launcher.collect(TICK_SECONDS) if running else ():
            del running[step.fingerprint]
            room += launcher.demand(step)
            if failure is None:
                done.add(step.fingerprint)
                outcome.computed.append(step)
                _tell(observers, "finished", step)
            else:
                outcome.failed[step.fingerprint] = (step, failure)
                _tell(observers, "failed", step, failure)
        _tell(observers, "tick", launcher.states())
    return outcome


def _startable(waiting: Iterable[Step], done: set[str]) -> list[Step]:
    return [s for s in waiting if all(needed.fingerprint in done for needed in s.needs)]


def _without_hopeless(waiting: Sequence[Step], outcome: Outcome) -> list[Step]:
    """Move what needs a failed step from ``waiting`` to ``outcome.skipped``."""
    lost = set(outcome.failed) | {step.fingerprint for step in outcome.skipped}
    hopeful = []
    for step in sorted(waiting, key=_depth):
        if any(needed.fingerprint in lost for needed in step.needs):
            lost.add(step.fingerprint)
            outcome.skipped.append(step)
        else:
            hopeful.append(step.fingerprint)
    return [step for step in waiting if step.fingerprint in hopeful]


def _depth(step: Step) -> int:
    return 1 + max((_depth(needed) for needed in step.needs), default=0)


def rank_by_chain(steps: Sequence[Step]) -> dict[str, float]:
    """Cost of the longest chain that begins with each step, by fingerprint."""
    ranks = {step.fingerprint: COST[step.kind] for step in steps}
    for step in reversed(steps):
        for needed in step.needs:
            through = COST[needed.kind] + ranks[step.fingerprint]
            ranks[needed.fingerprint] = max(ranks[needed.fingerprint], through)
    return ranks


def _tell(observers: Sequence[Observer], what: str, *about: object) -> None:
    for observer in observers:
        getattr(observer, what)(*about)

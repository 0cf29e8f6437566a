"""Running the steps of a plan: each as soon as what it needs is done and there is room.

Knows nothing of Ray: a :class:`Launcher` computes the steps, wherever that is. Which of the steps
that could start do start is decided in :mod:`orchestrator.schedule`.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.claims import Claims, Uncontested
from orchestrator.durations import Durations
from orchestrator.fingerprints import Json
from orchestrator.reuse import Finished, reusable
from orchestrator.schedule import Candidate, Demand, Nodes, Seat, choose
from orchestrator.steps.base import Step


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step has no result, and the log with the whole story."""

    message: str
    log: str
    lost: bool = False
    """True if its process, its node or the store went away: another attempt may well succeed."""
    broken: str | None = None
    """Fingerprint of a step that it needs and whose artefacts turned out broken."""


class Launcher(Protocol):
    """Computes steps somewhere."""

    def nodes(self) -> Nodes:
        """What there is in all, now."""

    def demand(self, step: Step) -> Demand:
        """What ``step`` takes. Asked for when all that it needs is done."""

    def refusal(self, step: Step) -> str | None:
        """Why ``step`` could not run even if nothing else did, and what to do; None if it can."""

    def retries(self, step: Step) -> int:
        """How often ``step`` is started again after it was lost."""

    def submit(self, step: Step) -> None:
        """Start ``step``; returns at once."""

    def collect(self, timeout: float) -> Sequence[tuple[Step, Failure | None]]:
        """Steps that ended, waiting for one for at most ``timeout`` seconds."""

    def states(self) -> Mapping[str, Mapping[str, Json]]:
        """What running steps last reported, by fingerprint."""


class Observer(Protocol):
    """Told what happens to the steps of a plan."""

    def started(self, step: Step) -> None:
        """``step`` was submitted."""

    def finished(self, step: Step) -> None:
        """``step`` is done, now or in an earlier run."""

    def lost(self, step: Step, failure: Failure) -> None:
        """``step`` was lost and will be started again."""

    def failed(self, step: Step, failure: Failure) -> None:
        """``step`` has no result."""

    def tick(self, states: Mapping[str, Mapping[str, Json]]) -> None:
        """Some time has passed."""


TICK_SECONDS = 0.5

FIRST_PAUSE_SECONDS = 1.0
"""Before a lost step is started again; four times as long before each further time."""


@dataclass
class Outcome:
    """How a plan ended."""

    computed: list[Step] = field(default_factory=list)
    reused: list[Step] = field(default_factory=list)
    failed: dict[str, tuple[Step, Failure]] = field(default_factory=dict)
    skipped: list[Step] = field(default_factory=list)
    """Steps that need a failed one."""
    lost: Counter[str] = field(default_factory=Counter)
    """How often steps were lost and started again, by fingerprint."""


def run_steps(
    steps: Sequence[Step],
    store: Finished,
    launcher: Launcher,
    observers: Sequence[Observer],
    clock: Callable[[], float] = time.monotonic,
    claims: Claims | None = None,
) -> Outcome:
    """Compute the ``steps`` that are not in ``store`` yet.

    Args:
        steps: Needed ones before those that need them.
        store: Says what is done.
        launcher: Computes.
        observers: Told of everything, in order.
        clock: Seconds.
        claims: Say which steps are this driver's, where there are several; None: all of them.
    """
    run = _Run(steps, store, launcher, observers, clock, claims or Uncontested())
    while run.waiting or run.running:
        run.take_over()
        run.give_up_the_hopeless()
        run.start_what_fits()
        for step, failure in launcher.collect(TICK_SECONDS):
            run.note_end(step, failure)
        run.tell("tick", launcher.states())
    return run.outcome


class _Run:
    """What is known while a plan runs."""

    def __init__(
        self,
        steps: Sequence[Step],
        store: Finished,
        launcher: Launcher,
        observers: Sequence[Observer],
        clock: Callable[[], float],
        claims: Claims,
    ) -> None:
        self.outcome = Outcome(reused=reusable(steps, store))
        self.running: dict[str, tuple[Step, float]] = {}
        self._store, self._launcher = store, launcher
        self._observers, self._clock, self._claims = observers, clock, claims
        self._seats: dict[str, Seat] = {}
        self._resting: dict[str, float] = {}
        self._done = {step.fingerprint for step in self.outcome.reused}
        self._durations = Durations.of(self.outcome.reused, store)
        self._ranks = rank_by_chain(steps, self._durations.expected)
        self._places = {step.fingerprint: place for place, step in enumerate(steps)}
        self._steps = {step.fingerprint: step for step in steps}
        self.waiting = [step for step in steps if step.fingerprint not in self._done]
        for step in self.outcome.reused:
            self.tell("finished", step)

    def tell(self, what: str, *about: object) -> None:
        """Tell every observer."""
        for observer in self._observers:
            getattr(observer, what)(*about)

    def take_over(self) -> None:
        """Take the results of other drivers; let time pass if only they have work."""
        for step in self._claims.taken_over():
            self.waiting.remove(step)
            self._done.add(step.fingerprint)
            self.outcome.reused.append(step)
            self.tell("finished", step)
        if not self.running:
            self._claims.pause(TICK_SECONDS)

    def give_up_the_hopeless(self) -> None:
        """Skip what needs a failed step; fail what no node could ever run."""
        lost = set(self.outcome.failed) | {step.fingerprint for step in self.outcome.skipped}
        for step in sorted(self.waiting, key=lambda step: self._places[step.fingerprint]):
            if any(needed.fingerprint in lost for needed in step.needs):
                lost.add(step.fingerprint)
                self.waiting.remove(step)
                self.outcome.skipped.append(step)
        for step in self._ready():
            if problem := self._launcher.refusal(step):
                self.waiting.remove(step)
                self._fail(step, Failure(problem, "none; it was not started"))

    def _ready(self) -> list[Step]:
        """What could start now, the most urgent first."""
        now = self._clock()
        ready = [
            step
            for step in self.waiting
            if all(needed.fingerprint in self._done for needed in step.needs)
            and self._resting.get(step.fingerprint, now) <= now
            and self._claims.is_free(step)
        ]
        return sorted(ready, key=lambda step: self._ranks[step.fingerprint], reverse=True)

    def start_what_fits(self) -> None:
        """Submit the most urgent steps for which there is room."""
        ready = {step.fingerprint: step for step in self._ready()}
        candidates = [
            Candidate(key, self._launcher.demand(step), self._durations.expected(step))
            for key, step in ready.items()
        ]
        now, seats = self._clock(), list(self._seats.values())
        for key, seat in choose(candidates, self._launcher.nodes(), seats, now).items():
            step = ready[key]
            if not self._claims.claim(step):
                continue
            self.waiting.remove(step)
            self.running[key] = (step, now)
            self._seats[key] = seat
            self._launcher.submit(step)
            self.tell("started", step)

    def note_end(self, step: Step, failure: Failure | None) -> None:
        """``step`` ended: done, lost or failed."""
        _, since = self.running.pop(step.fingerprint)
        del self._seats[step.fingerprint]
        self._claims.ended(step)
        if failure is None:
            self._done.add(step.fingerprint)
            self._durations.note(step, self._clock() - since)
            self.outcome.computed.append(step)
            self.tell("finished", step)
        elif failure.lost and self.outcome.lost[step.fingerprint] < self._launcher.retries(step):
            self._put_back(step, failure)
        else:
            self._fail(step, failure)

    def _put_back(self, step: Step, failure: Failure) -> None:
        if failure.broken in self._done:
            self._compute_again(self._steps[failure.broken])
        before = self.outcome.lost[step.fingerprint]
        self.outcome.lost[step.fingerprint] += 1
        self._resting[step.fingerprint] = self._clock() + FIRST_PAUSE_SECONDS * 4**before
        self.waiting.append(step)
        self.tell("lost", step, failure)

    def _compute_again(self, step: Step) -> None:
        """``step`` was done and is not any more."""
        self._done.discard(step.fingerprint)
        for steps in (self.outcome.reused, self.outcome.computed):
            if step in steps:
                steps.remove(step)
        self.waiting.append(step)

    def _fail(self, step: Step, failure: Failure) -> None:
        self.outcome.failed[step.fingerprint] = (step, failure)
        self.tell("failed", step, failure)


def rank_by_chain(
    steps: Sequence[Step], seconds: Callable[[Step], float]
) -> dict[str, tuple[float, float]]:
    """How urgent each step is, by fingerprint: the longest chain that begins with it, in seconds,
    then all the work that needs it.

    So a model that serves all targets goes before one that serves a single one where their chains
    are equally long: more tests wait for it, and those fill the cores at the end.

    Args:
        steps: Needed ones before those that need them.
        seconds: That a step is expected to take.
    """
    chains = {step.fingerprint: seconds(step) for step in steps}
    behind: dict[str, set[str]] = {step.fingerprint: set() for step in steps}
    costs = dict(chains)
    for step in reversed(steps):
        for needed in step.needs:
            through = costs[needed.fingerprint] + chains[step.fingerprint]
            chains[needed.fingerprint] = max(chains[needed.fingerprint], through)
            behind[needed.fingerprint] |= {step.fingerprint, *behind[step.fingerprint]}
    return {key: (chain, sum(costs[one] for one in behind[key])) for key, chain in chains.items()}

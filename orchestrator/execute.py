"""Running the steps of a plan: each as soon as what it needs is done and there is room.

Knows nothing of Ray: a :class:`Launcher` computes the steps, wherever that is. Which of the steps
that could start do start is decided in :mod:`orchestrator.schedule`.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.claims import Claims, Uncontested
from orchestrator.costs import Costs
from orchestrator.fingerprints import Json
from orchestrator.reuse import Finished, reusable
from orchestrator.schedule import Candidate, Demand, Nodes, Seat, choose, rank_by_chain
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

    def stop(self, step: Step) -> None:
        """Have ``step``, which runs, end soon; a training first writes down where it is."""

    def collect(self, timeout: float) -> Sequence[tuple[Step, Failure | None]]:
        """Steps that ended, waiting for one for at most ``timeout`` seconds."""

    def states(self) -> Mapping[str, Mapping[str, Json]]:
        """What running steps last reported, by fingerprint."""


class Observer:
    """Told what happens to the steps of a plan; does nothing about what it does not override."""

    def started(self, step: Step) -> None:
        """``step`` was submitted."""

    def finished(self, step: Step) -> None:
        """``step`` is done, now or in an earlier run."""

    def lost(self, step: Step, failure: Failure) -> None:
        """``step`` was lost and will be started again."""

    def failed(self, step: Step, failure: Failure) -> None:
        """``step`` has no result."""

    def dropped(self, step: Step) -> None:
        """``step`` ran, nobody wanted it any more, and it has ended without a result."""

    def tick(self, states: Mapping[str, Mapping[str, Json]]) -> None:
        """Some time has passed."""


TICK_SECONDS = 0.5

LOOK_SECONDS = 2.0
"""Between two looks for what a running step leaves behind on its way."""

FIRST_PAUSE_SECONDS = 1.0
"""Before a lost step is started again; four times as long before each further time."""

ENOUGH = 8
"""Finished steps of a kind give its pace well enough."""


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
    run = Execution(store, launcher, observers, clock, claims)
    run.add(steps)
    while run.busy:
        run.turn()
    return run.outcome


class Execution:
    """Computes steps while more may be added and some no longer wanted; see :func:`run_steps`."""

    def __init__(
        self,
        store: Finished,
        launcher: Launcher,
        observers: Sequence[Observer],
        clock: Callable[[], float] = time.monotonic,
        claims: Claims | None = None,
    ) -> None:
        self.outcome = Outcome()
        self.running: dict[str, tuple[Step, float]] = {}
        self.waiting: list[Step] = []
        self._store, self._launcher = store, launcher
        self._observers, self._clock, self._claims = observers, clock, claims or Uncontested()
        self._seats: dict[str, Seat] = {}
        self._resting: dict[str, float] = {}
        self._unwanted: set[str] = set()
        self._done: set[str] = set()
        self._costs, self._gpu_costs = Costs(), Costs(gpu=True)
        self._learned: Counter[str] = Counter()
        self._ranks: dict[str, tuple[float, float]] = {}
        self._steps: dict[str, Step] = {}
        self._next_look = 0.0

    def add(self, steps: Sequence[Step]) -> None:
        """Compute these, too, unless they are known already.

        What was known before by its result alone is computed after all if one of these needs it.

        Args:
            steps: Needed ones before those that need them.
        """
        self._unwanted -= {step.fingerprint for step in steps}
        usable = {step.fingerprint for step in reusable(steps, self._store)}
        lapsed = self._done - usable
        for step in steps:
            if step.fingerprint in lapsed:
                self._compute_again(step)
        new = [step for step in steps if step.fingerprint not in self._steps]
        reused = [step for step in new if step.fingerprint in usable]
        self._steps |= {step.fingerprint: step for step in new}
        self._done |= {step.fingerprint for step in reused}
        for step in reused:
            self._learn(step)
        self.waiting += [step for step in new if step.fingerprint not in self._done]
        self._rank()
        self.outcome.reused += reused
        for step in reused:
            self.tell("finished", step)

    def _rank(self) -> None:
        """How urgent what is unfinished is."""
        unfinished = [*self.waiting, *(step for step, _ in self.running.values())]
        self._ranks = rank_by_chain(self._in_order(unfinished), self._expected)

    def _learn(self, step: Step) -> None:
        """Take in what ``step``, which is done, took; some of a kind are enough."""
        if self._learned[step.kind] < ENOUGH:
            self._learned[step.kind] += 1
            record = self._store.record(step)
            self._costs.note(record)
            self._gpu_costs.note(record)

    def _expected(self, step: Step, workers: int = 1) -> float:
        """Seconds that ``step`` will take."""
        gpu = any(node.gpus for node in self._launcher.nodes().values())
        return (self._gpu_costs if gpu else self._costs).of(step, workers).seconds

    def _in_order(self, steps: Sequence[Step]) -> list[Step]:
        """``steps`` as they were added."""
        places = {key: place for place, key in enumerate(self._steps)}
        return sorted(steps, key=lambda step: places[step.fingerprint])

    def drop(self, step: Step) -> None:
        """Nobody wants ``step`` any more: end it if it runs, and forget it unless it failed."""
        key = step.fingerprint
        if key in self.outcome.failed:
            return
        if key in self.running:
            self._unwanted.add(key)
            self._launcher.stop(step)
            return
        self._forget(step)

    def _forget(self, step: Step) -> None:
        outcome, key = self.outcome, step.fingerprint
        for steps in (self.waiting, outcome.reused, outcome.computed, outcome.skipped):
            if step in steps:
                steps.remove(step)
        self._steps.pop(key, None)
        self._done.discard(key)
        self._unwanted.discard(key)

    def is_done(self, step: Step) -> bool:
        """True if ``step`` was added and is in the store."""
        return step.fingerprint in self._done

    @property
    def busy(self) -> bool:
        """False when all steps are done, or have failed, or need one that has."""
        return bool(self.waiting or self.running)

    def turn(self, seconds: float = TICK_SECONDS) -> None:
        """Start what can be started, and wait for at most so long for something to end."""
        self.take_over()
        self.give_up_the_hopeless()
        self.start_what_fits()
        for step, failure in self._launcher.collect(seconds):
            self.note_end(step, failure)
        self.tell("tick", self._launcher.states())

    def tell(self, what: str, *about: object) -> None:
        """Tell every observer."""
        for observer in self._observers:
            getattr(observer, what)(*about)

    def take_over(self) -> None:
        """Take the results of others; let time pass if only other drivers have work."""
        for step in (*self._claims.taken_over(), *self._passed()):
            if step not in self.waiting:
                continue
            self.waiting.remove(step)
            self._done.add(step.fingerprint)
            self.outcome.reused.append(step)
            self.tell("finished", step)
        if not self.running:
            self._claims.pause(TICK_SECONDS)

    def _passed(self) -> list[Step]:
        """Steps that others on their way have left behind in the store; looks now and then only."""
        if self._clock() < self._next_look:
            return []
        self._next_look = self._clock() + LOOK_SECONDS
        on_the_way = {step.trajectory for step, _ in self.running.values()} - {None}
        return [
            step
            for step in self.waiting
            if step.trajectory in on_the_way and self._store.is_done(step)
        ]

    def give_up_the_hopeless(self) -> None:
        """Skip what needs a failed step; fail what no node could ever run."""
        lost = set(self.outcome.failed) | {step.fingerprint for step in self.outcome.skipped}
        for step in self._in_order(self.waiting):
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
        running = [step for step, _ in self.running.values()]
        ready = [step for step in ready if not is_behind(step, running, self.waiting)]
        return sorted(ready, key=lambda step: self._ranks[step.fingerprint], reverse=True)

    def start_what_fits(self) -> None:
        """Submit the most urgent steps for which there is room."""
        ready = {step.fingerprint: step for step in self._ready()}
        candidates = [self._candidate(step) for step in ready.values()]
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

    def _candidate(self, step: Step) -> Candidate:
        parts = self._launcher.demand(step)
        return Candidate(step.fingerprint, parts, self._expected(step, len(parts)))

    def note_end(self, step: Step, failure: Failure | None) -> None:
        """``step`` ended: done, lost or failed."""
        del self.running[step.fingerprint]
        del self._seats[step.fingerprint]
        self._claims.ended(step)
        if failure is not None and step.fingerprint in self._unwanted:
            self._forget(step)
            self.tell("dropped", step)
        elif failure is None:
            self._unwanted.discard(step.fingerprint)
            self._done.add(step.fingerprint)
            self._learn(step)
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
        self._rank()
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


def is_behind(step: Step, running: Iterable[Step], waiting: Iterable[Step]) -> bool:
    """True if ``step`` had better wait for another of its trajectory, to go on from there.

    Of one trajectory only one step runs at a time, and the shortest first.
    """
    if step.trajectory is None:
        return False
    return any(one.trajectory == step.trajectory for one in running) or any(
        one.trajectory == step.trajectory and one.reach < step.reach for one in waiting
    )

"""The main loop of a sweep: Tune asks for trials, their steps are computed, Tune hears the scores.

All that is known lies in the store, as records and as steps. A sweep that was interrupted is asked
for anew: Tune is told of every trial again, those that are known answer from their records at once,
and training starts where the known reports end.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.execute import Execution, Launcher, Observer
from orchestrator.fingerprints import Json
from orchestrator.steps.base import Step
from orchestrator.store import StepStore
from orchestrator.sweep.desk import Report
from orchestrator.sweep.live import LiveTrial, States, wanted_by
from orchestrator.sweep.records import Sweep, SweepRecords, Trial, TrialState
from orchestrator.sweep.space import Settings
from orchestrator.sweep.trials import TrialPlanner, trial_id
from orchestrator.sweep.tuning import Asked, Ended, Message, Reported
from projection.errors import InputError

TURN_SECONDS = 0.1
"""For which the loop waits for a step to end before it looks for what else is new."""

WRITE_SECONDS = 10.0
"""Between two records of a trial that only got further."""

LAST_WORDS_SECONDS = 60.0
"""For which trainings that are ended have time to write down where they are."""


class Tuning(Protocol):
    """Says which trials are wanted: Ray Tune, or a test."""

    @property
    def alive(self) -> bool:
        """False once nothing more will be asked."""

    def messages(self) -> Sequence[Message]:
        """What has happened since the last call."""


class Reports(Protocol):
    """Where coordinators find what Tune is to be told, by Tune's name of a trial."""

    def put(self, key: str, reports: list[Report]) -> None:
        """All that is known of a trial."""

    def forget(self, key: str) -> None:
        """Nobody asks for it any more."""


@dataclass
class Engine(Observer):
    """Computes what Tune asks for.

    Args:
        sweep: Record of the sweep.
        planner: Of its trials.
        store: Of the steps.
        reports: Where those go that Tune is told.
        numbers: Of trials that are foreseen, by id; others get the next ones.
        each: Tune hears every point of a curve, because a scheduler judges them.
        noted: Told of every record that has changed.
        prepare: Given the steps of a trial before they are computed.
        seconds: After which everything is ended; None: never.
        clock: Seconds.
    """

    sweep: Sweep
    planner: TrialPlanner
    store: StepStore
    reports: Reports
    numbers: dict[str, int]
    each: bool
    noted: Sequence[Callable[[Trial], None]] = ()
    prepare: Callable[[Sequence[Step]], None] = lambda _steps: None
    seconds: float | None = None
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.records = SweepRecords(self.store.files, self.sweep.fingerprint)
        self.trials = {trial.id: trial for trial in self.records.trials()}
        known = {trial.id: trial.number for trial in self.trials.values()}
        self._numbers = known | self.numbers
        self._live: dict[str, LiveTrial] = {}
        self._tried: set[str] = set()
        self._by_key: dict[str, str] = {}
        self._written: dict[str, float] = {}
        self._told: dict[str, int] = {}
        self._states: States = {}
        self._began = self.clock()
        self.over: str | None = None
        """Why the sweep ends before its search does."""

    def run(
        self,
        tuning: Tuning,
        launcher: Launcher,
        observers: Sequence[Observer] = (),
        claims: Any = None,
    ) -> None:
        """Go on until ``tuning`` wants no more, or the time is up."""
        self._execution = Execution(self.store, launcher, [*observers, self], self.clock, claims)
        try:
            self._go_on(tuning)
        finally:
            self._hang_up()
        self._let_end()

    def _go_on(self, tuning: Tuning) -> None:
        while tuning.alive and self.over is None:
            for message in tuning.messages():
                self._hear(message)
            self._execution.turn(TURN_SECONDS)
            self._advance()
            if self.seconds is not None and self.clock() - self._began > self.seconds:
                self.give_up(f"the time budget of {self.seconds / 60:g} min was used up")

    def _hear(self, message: Message) -> None:
        if isinstance(message, Asked):
            self._ask(message.key, message.settings)
        elif isinstance(message, Reported):
            live = self._live.get(self._by_key.get(message.key, ""))
            if live and live.replayed and message.count >= live.replayed:
                live.replayed = 0
                self._execution.add(live.steps)
        elif isinstance(message, Ended):
            self._drop_key(message.key, message.problem)

    def _ask(self, key: str, drawn: Settings) -> None:
        try:
            settings = self.planner.settings(drawn)
            identity = trial_id(self.sweep.fingerprint, settings)
            self._by_key[key] = identity
            self._start(key, self._known(identity, settings))
        except InputError as error:
            identity = trial_id(self.sweep.fingerprint, drawn)
            trial = self._known(identity, drawn)
            self._note(trial.model_copy(update={"state": TrialState.FAILED, "reason": str(error)}))
            self.reports.put(key, [{self.sweep.metric: 0.0, "step": 1, "done": True}])

    def _known(self, identity: str, settings: Settings) -> Trial:
        if identity in self.trials:
            return self.trials[identity]
        free = max(self._numbers.values(), default=-1) + 1
        number = self._numbers.setdefault(identity, free)
        return Trial(id=identity, number=number, settings=settings, seeds=self.sweep.seeds)

    def _start(self, key: str, trial: Trial) -> None:
        live = self._live.get(trial.id)
        if live is None:
            live = LiveTrial(trial, self.planner.models(trial.settings), self.sweep.metric)
            again = trial.state is TrialState.FAILED and trial.id not in self._tried
            if trial.state not in (TrialState.FINISHED, TrialState.FAILED) or again:
                self._live[trial.id] = live
                live.begin()
                live.replayed = len(live.reports(each=self.each))
                self.prepare(live.steps)
                if not live.replayed:
                    self._execution.add(live.steps)
                self._note(live.record)
            self._tried.add(trial.id)
        live.keys.add(key)
        self._told.pop(trial.id, None)
        self._tell(live)

    def _tell(self, live: LiveTrial) -> None:
        reports = live.reports(each=self.each)
        if len(reports) > self._told.get(live.record.id, 0) or live.record.id not in self._live:
            for key in live.keys:
                self.reports.put(key, reports)
            self._told[live.record.id] = len(reports)

    def _advance(self) -> None:
        """See how far every trial has come; those that are done, or never will be, end."""
        for live in list(self._live.values()):
            if live.replayed:
                continue
            before = live.record
            live.look(self.store, self._execution.is_done, self._states)
            if problem := live.problem(self._execution.outcome):
                self._finish(live, TrialState.FAILED, problem)
            elif live.is_done(self._execution.is_done):
                self._finish(live, TrialState.FINISHED)
            elif live.record != before:
                self._note(live.record, urgent=len(live.record.curve) > len(before.curve))
                self._tell(live)

    def _finish(self, live: LiveTrial, state: TrialState, reason: str = "") -> None:
        live.end(state, reason)
        self._note(live.record)
        del self._live[live.record.id]
        self._tell(live)
        self._release(live)

    def _drop_key(self, key: str, problem: str | None) -> None:
        """Tune wants no more of one of its trials; if it was not done, it was stopped."""
        self.reports.forget(key)
        live = self._live.get(self._by_key.pop(key, ""))
        if live is None:
            return
        live.keys.discard(key)
        if live.keys:
            return
        if problem:
            self._finish(live, TrialState.FAILED, problem)
        else:
            reached = live.record.finetune_steps
            self._finish(live, TrialState.STOPPED, f"by {self.sweep.scheduler} at step {reached}")

    def _release(self, live: LiveTrial) -> None:
        """Let go of the steps that no other trial waits for."""
        wanted = wanted_by(list(self._live.values()))
        for step in live.steps:
            if not wanted[step.fingerprint]:
                self._execution.drop(step)

    def give_up(self, why: str) -> None:
        """End all trials where they are."""
        self.over = why
        for live in list(self._live.values()):
            live.end(TrialState.STOPPED, why)
            self._note(live.record)
            self._hang_up(live)
            del self._live[live.record.id]
            self._release(live)

    def _hang_up(self, *trials: LiveTrial) -> None:
        """Tell coordinators that wait that nothing more comes, or Tune could not end them."""
        for live in trials or tuple(self._live.values()):
            for key in live.keys:
                self.reports.put(key, [*live.reports(each=self.each), live.last_report()])

    def _let_end(self) -> None:
        until = self.clock() + LAST_WORDS_SECONDS
        while self._execution.running and self.clock() < until:
            self._execution.turn(TURN_SECONDS)

    def _note(self, trial: Trial, *, urgent: bool = True) -> None:
        now = self.clock()
        if not urgent and now - self._written.get(trial.id, -WRITE_SECONDS) < WRITE_SECONDS:
            return
        self._written[trial.id] = now
        self.trials[trial.id] = trial
        self.records.write_trial(trial)
        for tell in self.noted:
            tell(trial)

    def started(self, step: Step) -> None:
        """Observer: the first trial that wants ``step`` owns it, and no other does."""
        key = step.fingerprint
        wanting = [
            live
            for live in self._live.values()
            if any(key == one.fingerprint for one in live.steps)
        ]
        if not wanting or any(key in live.record.owned for live in wanting):
            return
        for trial in list(self.trials.values()):
            if key in trial.owned:  # it was interrupted or stopped before the step was done
                owned = tuple(one for one in trial.owned if one != key)
                self._note(trial.model_copy(update={"owned": owned}))
        wanting[0].own(step)
        self._note(wanting[0].record)

    def tick(self, states: Mapping[str, Mapping[str, Json]]) -> None:
        """Observer: what running steps report."""
        self._states = states

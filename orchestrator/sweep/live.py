"""The trials of a running sweep: which steps each waits for, and what has come of them so far."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from orchestrator.execute import Outcome
from orchestrator.fingerprints import Json
from orchestrator.plan import RunSpec
from orchestrator.results import curve_of_model
from orchestrator.steps.base import Step
from orchestrator.steps.finetune import FinetuneStep
from orchestrator.steps.warmup import WarmupStep
from orchestrator.store import StepStore
from orchestrator.sweep.desk import Report
from orchestrator.sweep.records import Cost, Trial, TrialState, total
from orchestrator.sweep.standing import Scores, curve_of, scores_by_seed
from orchestrator.sweep.trials import gradient_steps, steps_of, used_by

States = Mapping[str, Mapping[str, Json]]
"""What running steps last reported, by fingerprint."""

IsDone = Callable[[Step], bool]
"""True for a step that the driver knows to be in the store."""


@dataclass
class LiveTrial:
    """A trial that Tune waits for.

    Args:
        record: As it is written down.
        specs: Its models.
        metric: Of the sweep.
    """

    record: Trial
    specs: tuple[RunSpec, ...]
    metric: str
    keys: set[str] = field(default_factory=set)
    """What Tune calls it; several where a searcher suggests the same again."""
    replayed: int = 0
    """Reports that are known from an earlier execution and that Tune must take in first."""

    def __post_init__(self) -> None:
        self.steps = steps_of(self.specs)
        self._seen: dict[str, Scores] = {}
        self._sight: object = None

    def begin(self) -> None:
        """It is wanted from now on."""
        self.record = self.record.model_copy(
            update={
                "state": TrialState.RUNNING,
                "reason": "",
                "ended": "",
                "steps": used_by(self.steps),
            }
        )

    def own(self, step: Step) -> None:
        """``step`` was started for this trial."""
        if step.fingerprint not in self.record.owned:
            owned = (*self.record.owned, step.fingerprint)
            self.record = self.record.model_copy(update={"owned": owned})

    def look(self, store: StepStore, done: IsDone, states: States) -> None:
        """Take in what its models have reported, and what their steps have cost."""
        finished = frozenset(step.fingerprint for step in self.steps if done(step))
        sight = finished, tuple(len(_told(spec, states)) for spec in self.specs)
        if sight == self._sight:
            return
        self._sight = sight
        models: dict[int, list[Scores]] = {}
        for spec in self.specs:
            models.setdefault(spec.seed, []).append(self._scores(spec, store, done, states))
        curve = curve_of(self.metric, models)
        if len(curve) < len(self.record.curve):  # of an earlier execution, not reached again yet
            return
        reached = curve[-1].step if curve else 0
        self.record = self.record.model_copy(
            update={
                "curve": curve,
                "scores": scores_by_seed(self.metric, models),
                "finetune_steps": reached,
            }
            | self._costs(store, done, reached)
        )

    def _scores(self, spec: RunSpec, store: StepStore, done: IsDone, states: States) -> Scores:
        key = spec.model.fingerprint
        if done(spec.model):
            self._seen[key] = curve_of_model(spec.model, store)
        elif told := _told(spec, states):
            self._seen[key] = told
        return self._seen.get(key, [])

    def _costs(self, store: StepStore, done: IsDone, reached: int) -> dict[str, Any]:
        """What its steps have cost; a training that runs counts as far as it has come."""
        executed, naive, seconds = Cost(), Cost(), 0.0
        for step in self.steps:
            if not isinstance(step, FinetuneStep | WarmupStep):
                continue
            whole, mine = done(step), step.fingerprint in self.record.owned
            alone = gradient_steps(step) if whole else _so_far(step, reached)
            naive += alone
            if mine:
                executed += _computed(step, store) if whole else alone
            if mine and whole:
                seconds += float(store.record(step)["seconds"])
        return {"executed": executed, "naive": naive, "seconds": round(seconds, 3)}

    def end(self, state: TrialState, reason: str = "") -> None:
        """It is wanted no more."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.record = self.record.model_copy(
            update={"state": state, "reason": reason, "ended": now}
        )

    def is_done(self, done: IsDone) -> bool:
        """True if all its models are trained."""
        return all(done(spec.model) for spec in self.specs)

    def problem(self, outcome: Outcome) -> str | None:
        """Why it will never be done, or None."""
        for step in self.steps:
            if step.fingerprint in outcome.failed:
                failure = outcome.failed[step.fingerprint][1]
                return f"{step.title()}: {failure.message}"
        return None

    def reports(self, *, each: bool) -> list[Report]:
        """What Tune is told: every point of the curve if a scheduler judges them, and the end.

        The last point waits for the model: a scheduler ends whatever has come that far, and the
        trial would count as stopped.
        """
        points: list[Report] = [
            {self.metric: point.score, "step": point.step, "done": False}
            for point in (self.record.curve if each else ())
        ]
        if self.record.state in (TrialState.FINISHED, TrialState.FAILED):
            return [*points, self.last_report()]
        end = min(spec.model.num_steps for spec in self.specs)
        return [point for point in points if point["step"] < end]

    def last_report(self) -> Report:
        """Of a trial that ends where it is; one that failed has learned nothing."""
        good = self.record.state is not TrialState.FAILED and self.record.score is not None
        score = self.record.score if good else 0.0
        return {self.metric: score, "step": max(1, self.record.finetune_steps), "done": True}


def _told(spec: RunSpec, states: States) -> list[tuple[int, float]]:
    """What a running training has said of its dev scores."""
    told: Any = states.get(spec.model.fingerprint, {}).get("scores", [])
    return [(step, score) for step, score in told]


def _so_far(step: FinetuneStep | WarmupStep, reached: int) -> Cost:
    return Cost(finetune=reached) if isinstance(step, FinetuneStep) else Cost()


def _computed(step: FinetuneStep | WarmupStep, store: StepStore) -> Cost:
    """Of a warm-up that went on from a shorter one, the rounds after that."""
    if isinstance(step, WarmupStep):
        before = store.outputs(step).get("rounds_before", 0)
        return Cost(warmup=(step.settings.rounds - before) * step.settings.steps)
    return gradient_steps(step)


def saved(trials: Sequence[Trial]) -> tuple[Cost, Cost]:
    """Gradient steps executed so far, and those that trials on their own would have taken."""
    return total(one.executed for one in trials), total(one.naive for one in trials)


def wanted_by(trials: Sequence[LiveTrial]) -> Counter[str]:
    """How many of ``trials`` need each step, by fingerprint."""
    return Counter(step.fingerprint for trial in trials for step in trial.steps)

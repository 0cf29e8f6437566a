"""What a sweep and its trials have come to, as the store keeps them.

``<store>/sweeps/<fingerprint>/sweep.json`` says what is searched and how, ``trials/<trial>.json``
beside it how one setting did. Each file is replaced whole whenever it changes, so a reader sees a
running sweep as it is, and writing again changes nothing. The results themselves are steps; a
record names their fingerprints.
"""

import statistics
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TypeVar

from pydantic import BaseModel, Field, ValidationError

from orchestrator.store.files import Files
from orchestrator.store.inventory import SWEEPS
from orchestrator.sweep.space import Settings, Space
from projection.errors import InputError

Record = TypeVar("Record", bound=BaseModel)

SWEEP, TRIALS = "sweep.json", "trials"


class TrialState(StrEnum):
    """How it stands with a trial."""

    PENDING = "pending"
    """To come: in a grid or list that was expanded, or interrupted before anything was known."""
    RUNNING = "running"
    """Or its driver died: then the next ``xlwarm sweep`` goes on with it."""
    FINISHED = "finished"
    STOPPED = "stopped"
    """Ended early by the scheduler or a budget; its training would go on where it is."""
    FAILED = "failed"


class Cost(BaseModel, frozen=True, extra="forbid"):
    """Gradient steps; of a warm-up, those of each of its languages (Z x K)."""

    warmup: int = 0
    finetune: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(warmup=self.warmup + other.warmup, finetune=self.finetune + other.finetune)


class Point(BaseModel, frozen=True, extra="forbid"):
    """The metric along a trial."""

    step: int
    """Fine-tuning steps of every model of the trial."""
    score: float
    """Mean over seeds."""


class Trial(BaseModel, frozen=True, extra="forbid"):
    """One setting that a sweep tries, with every seed."""

    id: str
    """Fingerprint of the sweep and the settings."""
    number: int
    """In the order in which trials were asked for, from 0."""
    settings: Settings
    """By dotted name, as the study would hold them."""
    seeds: tuple[int, ...]
    state: TrialState = TrialState.PENDING
    reason: str = ""
    """Why it failed or was stopped."""
    scores: dict[int, float] = Field(default_factory=dict)
    """The sweep's metric by seed; of a stopped trial, as far as it came."""
    curve: tuple[Point, ...] = ()
    """The metric as the scheduler saw it, mean over the seeds."""
    executed: Cost = Cost()
    """Gradient steps that were taken for this trial and no earlier one."""
    naive: Cost = Cost()
    """Gradient steps that it would have taken alone, as far as it came."""
    seconds: float = 0.0
    """Compute time of the steps that were executed for it, their sum."""
    finetune_steps: int = 0
    """That every model of the trial has behind it."""
    ended: str = ""
    """When it ended for now, ISO 8601 with time zone; empty while it runs."""
    owned: tuple[str, ...] = ()
    """Fingerprints of the steps that were started for it."""
    steps: tuple[str, ...] = ()
    """Fingerprints of all steps and kept inputs that it needs."""

    @property
    def score(self) -> float | None:
        """Mean over seeds; None while one is missing."""
        if not self.seeds or set(self.scores) != set(self.seeds):
            return None
        return statistics.fmean(self.scores.values())

    @property
    def spread(self) -> float:
        """Sample standard deviation over seeds; 0 for one."""
        scores = list(self.scores.values())
        return statistics.stdev(scores) if len(scores) > 1 else 0.0


class Sweep(BaseModel, frozen=True, extra="forbid"):
    """What is searched, and how."""

    fingerprint: str
    """Of everything that its trials have in common: all settings but the swept ones, the data, the
    metric, the seeds, and which settings are swept (not over what: a space may grow)."""
    study: str
    """Name of the study and of its MLflow experiment."""
    task: str
    backbone: str
    strategy: str
    source: str
    targets: tuple[str, ...]
    parameters: Space
    """As last asked for."""
    base: Settings
    """The study's own value of every swept setting, by dotted name."""
    metric: str
    """Higher is better."""
    searcher: str
    scheduler: str
    seeds: tuple[int, ...]
    trials: int | None = None
    """How many were asked for; None: every combination of a grid."""
    minutes: float | None = None
    """Time budget of one execution."""
    started: str = ""
    """When it was first asked for, ISO 8601 with time zone."""


class SweepRecords:
    """The records of one sweep.

    Args:
        files: Of the store (``StepStore.files``).
        fingerprint: Of the sweep.
    """

    def __init__(self, files: Files, fingerprint: str) -> None:
        self._files = files
        self._folder = f"{SWEEPS}/{fingerprint}"

    def sweep(self) -> Sweep | None:
        """What is searched; None if nobody ever began."""
        return _read(self._files, f"{self._folder}/{SWEEP}", Sweep)

    def write_sweep(self, sweep: Sweep) -> None:
        """Put ``sweep`` in place of what was known."""
        self._write(SWEEP, sweep)

    def trials(self) -> list[Trial]:
        """All trials in the order of their numbers."""
        names = self._files.names(f"{self._folder}/{TRIALS}")
        read = (_read(self._files, f"{self._folder}/{TRIALS}/{name}", Trial) for name in names)
        return sorted((trial for trial in read if trial), key=lambda trial: trial.number)

    def write_trial(self, trial: Trial) -> None:
        """Put ``trial`` in place of what was known of it."""
        self._write(f"{TRIALS}/{trial.id}.json", trial)

    def _write(self, name: str, record: BaseModel) -> None:
        text = record.model_dump_json(indent=1)
        self._files.write(f"{self._folder}/{name}", text.encode())


def _read(files: Files, name: str, record: type[Record]) -> Record | None:
    try:
        content = files.read(name)
    except FileNotFoundError:
        return None
    try:
        return record.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"{name} of the store is no record of a sweep ({first['msg']}); it was damaged or "
            "written by another version: move it away, and `xlwarm sweep` makes it again"
        ) from None


def all_sweeps(files: Files) -> list[Sweep]:
    """Every sweep of a store, the oldest first."""
    found = (SweepRecords(files, name).sweep() for name in files.names(SWEEPS))
    return sorted((sweep for sweep in found if sweep), key=lambda sweep: sweep.started)


def best(trials: Iterable[Trial]) -> Trial | None:
    """The finished trial with the highest score, the earliest of several; None if none has one."""
    scored = [one for one in trials if one.state is TrialState.FINISHED and one.score is not None]
    return max(scored, key=lambda one: (one.score or 0.0, -one.number), default=None)


def total(costs: Iterable[Cost]) -> Cost:
    """Their sum."""
    return sum(costs, start=Cost())


def steps_in_use(files: Files) -> set[str]:
    """Fingerprints of every step that some trial of some sweep needs."""
    return {
        fingerprint
        for name in files.names(SWEEPS)
        for trial in SweepRecords(files, name).trials()
        for fingerprint in trial.steps
    }


def counts(trials: Sequence[Trial]) -> dict[TrialState, int]:
    """How many trials are in each state."""
    return {state: sum(one.state is state for one in trials) for state in TrialState}

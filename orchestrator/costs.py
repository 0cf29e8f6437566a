"""How long steps will take: measured ones of the store first, stated guesses else.

A step's record says what it was (its inputs) and how long it took. Steps of one kind differ in
their amount of work (training steps, rounds); what else sets the pace of a unit of work (the
encoding, the batch size, the threads) must be equal for two steps to be alike.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, prod
from statistics import fmean
from typing import Any

from orchestrator.fingerprints import fingerprint, identity
from orchestrator.steps.base import Step

AMOUNT: Mapping[str, tuple[str, ...]] = {
    "warmup": ("settings.rounds", "settings.steps"),
    "finetune": ("training.steps",),
}
"""Inputs whose product is the amount of work of a step; a step of another kind is one unit. A
warm-up does it for each of its languages, those of one worker one after the other."""

PACE: Mapping[str, tuple[str, ...]] = {
    "translate": ("source", "translator"),
    "project": ("source", "aligner"),
    "encode": ("checkpoint", "num_layers", "train"),
    "probe": ("encoding",),
    "warmup": ("encoding", "threads", "batch_size"),
    "finetune": ("encoding", "threads", "training.batch_size"),
    "average": ("encoding", "threads"),
    "vote": ("encoding", "threads"),
    "evaluate": ("test",),
}
"""Inputs that set how long a unit of work takes."""

CPU_GUESS: Mapping[str, float] = {
    "translate": 3600.0,
    "project": 10.0,
    "encode": 60.0,
    "probe": 30.0,
    "warmup": 0.6,
    "finetune": 0.6,
    "average": 60.0,
    "vote": 60.0,
    "evaluate": 60.0,
}
"""Seconds for a unit of work on a core: six layers of 384, batches of 8 sentences."""

GPU_GUESS: Mapping[str, float] = {
    "warmup": 0.06,
    "finetune": 0.06,
    "average": 15.0,
    "vote": 15.0,
    "evaluate": 10.0,
}
"""On a GPU: twelve layers of 768 at 15 to 20 steps a second; other kinds as on a core."""


class Basis(StrEnum):
    """What an estimate rests on, best first."""

    ITSELF = "measured"
    """The step is done."""
    ALIKE = "measured on steps alike"
    SAME_KIND = "measured on other data or models"
    GUESS = "guess"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Expected duration of a step."""

    seconds: float
    basis: Basis


@dataclass(frozen=True, slots=True)
class _Work:
    """What the estimate of a step rests on: its amount of work, and the keys of measured steps."""

    amount: float
    itself: str
    alike: str


class Costs:
    """Paces of measured steps.

    Args:
        records: ``step.json`` of finished steps, in any order.
        gpu: Estimate for GPUs where a step runs a model, and so from steps that ran on one.
    """

    def __init__(self, records: Iterable[Mapping[str, Any]] = (), *, gpu: bool = False) -> None:
        self._gpu = gpu
        self._itself: dict[str, float] = {}
        self._alike: dict[str, list[float]] = defaultdict(list)
        self._kind: dict[str, list[float]] = defaultdict(list)
        self._works: dict[tuple[str, int], _Work] = {}
        for record in records:
            self.note(record)

    def note(self, record: Mapping[str, Any]) -> None:
        """Take in one more finished step."""
        kind, inputs, device = record["kind"], record["inputs"], record.get("device", "cpu")
        if kind in GPU_GUESS and device.startswith("cuda") != self._gpu:
            return
        workers = record.get("workers", 1)
        try:
            pace = record["seconds"] / (amount(kind, inputs, workers) * _share_computed(record))
            key = _pace_key(kind, inputs)
        except KeyError:  # written by another version of the step, which had other inputs
            return
        self._alike[key].append(pace)
        self._itself[_known_as(kind, inputs, workers)] = record["seconds"]
        self._kind[kind].append(pace)

    def of(self, step: Step, workers: int = 1) -> Estimate:
        """How long ``step`` will take, or took; a warm-up on so many workers."""
        work = self._work(step, workers)
        measured = self._itself.get(work.itself)
        if measured is not None:
            return Estimate(measured, Basis.ITSELF)
        for paces, basis in (
            (self._alike.get(work.alike), Basis.ALIKE),
            (self._kind.get(step.kind), Basis.SAME_KIND),
        ):
            if paces:
                return Estimate(work.amount * fmean(paces), basis)
        return Estimate(work.amount * self._guess(step.kind), Basis.GUESS)

    def _work(self, step: Step, workers: int) -> _Work:
        key = step.fingerprint, workers
        if key not in self._works:
            kind, inputs = step.kind, identity(step)
            known_as, pace_key = _known_as(kind, inputs, workers), _pace_key(kind, inputs)
            self._works[key] = _Work(amount(kind, inputs, workers), known_as, pace_key)
        return self._works[key]

    def _guess(self, kind: str) -> float:
        usual = CPU_GUESS.get(kind, 1.0)
        return GPU_GUESS.get(kind, usual) if self._gpu else usual


def amount(kind: str, inputs: Mapping[str, Any], workers: int = 1) -> float:
    """Units of work, one after the other, of a step with these ``inputs`` (its identity).

    >>> amount("finetune", {"training": {"steps": 800}}), amount("encode", {})
    (800.0, 1.0)
    >>> amount("warmup", {"settings": {"rounds": 50, "steps": 5}, "languages": "abc"}, workers=2)
    500.0
    """
    units = float(prod(_at(inputs, path) for path in AMOUNT.get(kind, ())))
    return units * ceil(len(inputs["languages"]) / workers) if kind == "warmup" else units


def _share_computed(record: Mapping[str, Any]) -> float:
    """Of the rounds of a warm-up; the others were those of a shorter one that was found done."""
    before = record.get("outputs", {}).get("rounds_before", 0)
    return 1 - before / record["inputs"]["settings"]["rounds"] if before else 1.0


def _at(inputs: Mapping[str, Any], path: str) -> Any:
    for key in path.split("."):
        inputs = inputs[key]
    return inputs


def _pace_key(kind: str, inputs: Mapping[str, Any]) -> str:
    return fingerprint([kind, [_at(inputs, path) for path in PACE.get(kind, ())]])


def _known_as(kind: str, inputs: Mapping[str, Any], workers: int) -> str:
    return fingerprint([kind, dict(inputs), workers if kind == "warmup" else 1])

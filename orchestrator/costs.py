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
    "evaluate": 60.0,
}
"""Seconds for a unit of work on a core: six layers of 384, batches of 8 sentences."""

GPU_GUESS: Mapping[str, float] = {"warmup": 0.06, "finetune": 0.06, "evaluate": 10.0}
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


class Costs:
    """Paces of the measured steps of a store.

    Args:
        records: ``step.json`` of finished steps, in any order.
        gpu: Estimate for GPUs where a step runs a model, and so from steps that ran on one.
    """

    def __init__(self, records: Iterable[Mapping[str, Any]], *, gpu: bool = False) -> None:
        self._gpu = gpu
        self._itself: dict[str, float] = {}
        self._alike: dict[str, list[float]] = defaultdict(list)
        self._kind: dict[str, list[float]] = defaultdict(list)
        for record in records:
            self._note(record["kind"], record["inputs"], record)

    def _note(self, kind: str, inputs: Mapping[str, Any], record: Mapping[str, Any]) -> None:
        device = record.get("device", "cpu")
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
        inputs = identity(step)
        measured = self._itself.get(_known_as(step.kind, inputs, workers))
        if measured is not None:
            return Estimate(measured, Basis.ITSELF)
        size = amount(step.kind, inputs, workers)
        for paces, basis in (
            (self._alike.get(_pace_key(step.kind, inputs)), Basis.ALIKE),
            (self._kind.get(step.kind), Basis.SAME_KIND),
        ):
            if paces:
                return Estimate(size * fmean(paces), basis)
        return Estimate(size * self._guess(step.kind), Basis.GUESS)

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

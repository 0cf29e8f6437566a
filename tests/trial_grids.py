"""Records of sweeps that were never run."""

from collections.abc import Mapping
from itertools import product
from typing import Any

from orchestrator.sweep.records import Cost, Sweep, Trial, TrialState
from orchestrator.sweep.space import Space, Values

ROUNDS, STEPS, RATE = "warmup.rounds", "warmup.steps", "training.learning_rate"

GRID: Space = {
    ROUNDS: Values(kind="grid", values=(50, 100)),
    STEPS: Values(kind="grid", values=(5, 10)),
    RATE: Values(kind="grid", values=(1e-4, 1e-5)),
}


def sweep(parameters: Space = GRID, **known: Any) -> Sweep:
    """A sweep of ``parameters``; ``known`` replaces anything."""
    plain: dict[str, Any] = {
        "fingerprint": "a" * 64,
        "study": "tiny",
        "task": "ner",
        "backbone": "bert-base-multilingual-cased",
        "strategy": "mtl-ws",
        "source": "en",
        "targets": ("es", "de"),
        "parameters": parameters,
        "base": dict.fromkeys(parameters, 1),
        "metric": "dev_f1",
        "searcher": "grid",
        "scheduler": "none",
        "seeds": (1,),
        "started": "2026-11-25T10:00:00+00:00",
    }
    return Sweep.model_validate(plain | known)


def trial(number: int, settings: Mapping[str, Any], score: float | None, **known: Any) -> Trial:
    """A trial that finished with ``score`` and one seed, or, without one, failed."""
    plain: dict[str, Any] = {
        "id": f"{number:064x}",
        "number": number,
        "settings": dict(settings),
        "seeds": (1,),
        "state": TrialState.FAILED if score is None else TrialState.FINISHED,
        "reason": "loss is nan" if score is None else "",
        "scores": {} if score is None else {1: score},
        "executed": Cost(warmup=100, finetune=20),
        "naive": Cost(warmup=500, finetune=20),
        "seconds": 30.0,
        "finetune_steps": 20,
    }
    return Trial.model_validate(plain | known)


def grid_of(scores: Mapping[tuple[int, int, float], float | None]) -> list[Trial]:
    """A trial of :data:`GRID` for every (Z, K, learning rate) in ``scores``."""
    return [
        trial(number, dict(zip(GRID, point, strict=True)), score)
        for number, (point, score) in enumerate(scores.items())
    ]


def additive() -> list[Trial]:
    """The whole of :data:`GRID`: 60, 4 more for Z = 100, 2 for K = 10, 10 less for 1e-5."""

    def score(rounds: int, steps: int, rate: float) -> float:
        return 60.0 + 4 * (rounds == 100) + 2 * (steps == 10) - 10 * (rate == 1e-5)

    points = product((50, 100), (5, 10), (1e-4, 1e-5))
    return grid_of({point: score(*point) for point in points})

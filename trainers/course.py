"""How far a fine-tuning has come, in memory and on disk."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from trainers.checkpoints import save_arrays


@dataclass(frozen=True, slots=True)
class Progress:
    """Told now and then while a model trains."""

    step: int
    loss: float
    """Mean training loss since the last report."""
    dev_f1: float | None = None
    """Source-dev F1 in percent, where the dev set was looked at."""


@dataclass
class Course:
    """What a training knows beside the model and the optimiser.

    Args:
        steps: Done.
        curve: Reported so far.
        losses: Of the steps since the last report.
        best_f1: Best dev F1 so far, in percent; below all of them at first.
        best_step: When that was.
        best: The parameters then, ``(N,)``.
    """

    steps: int = 0
    curve: list[Progress] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    best_f1: float = -1.0
    best_step: int = 0
    best: Tensor = field(default_factory=lambda: torch.zeros(0))

    def took(self, loss: float) -> None:
        """One more step."""
        self.steps += 1
        self.losses.append(loss)

    def scored(self, dev_f1: float, values: Tensor) -> None:
        """The dev set was looked at; ties go to the earlier step."""
        if dev_f1 > self.best_f1:
            self.best_f1, self.best_step, self.best = dev_f1, self.steps, values.clone()

    def report(self, dev_f1: float | None) -> Progress:
        """The next point of the curve."""
        mean = sum(self.losses) / len(self.losses)
        self.curve.append(Progress(self.steps, mean, dev_f1))
        self.losses = []
        return self.curve[-1]


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Where a training is written down, to go on from there to the same bits; and when.

    Args:
        path: One file, always whole.
        due: Asked after every step.
    """

    path: Path
    due: Callable[[], bool]

    def save(self, course: Course, optimizer: dict[str, Tensor]) -> None:
        """Write ``course``, and the vectors of the model and its optimiser."""
        arrays = {f"optimizer.{name}": vector for name, vector in optimizer.items()}
        told = {
            "steps": course.steps,
            "curve": [asdict(point) for point in course.curve],
            "losses": course.losses,
            "best_f1": course.best_f1,
            "best_step": course.best_step,
        }
        save_arrays(
            self.path,
            {name: each.cpu().numpy() for name, each in (arrays | {"best": course.best}).items()},
            {"course": json.dumps(told)},
        )

    def load(self) -> tuple[Course, dict[str, Tensor]] | None:
        """What :meth:`save` wrote, or None if it was never called."""
        if not self.path.exists():
            return None
        with safe_open(self.path, "pt") as file:
            arrays = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
            told: dict[str, Any] = json.loads(file.metadata()["course"])
        told["curve"] = [Progress(**point) for point in told["curve"]]
        course = Course(**told, best=arrays.pop("best"))
        return course, {name.removeprefix("optimizer."): each for name, each in arrays.items()}

"""The ``sweep`` block of a study: what is varied, what judges, who searches, how long."""

from enum import StrEnum
from math import prod
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, field_validator, model_validator

from orchestrator.sweep.space import Range, Space, Values
from projection.errors import InputError
from trainers.strategies import strategy

METRICS = {
    "dev_f1": "source-dev F1 of the selected step",
    "dev_f1_last": "source-dev F1 of the last step",
}
"""What may judge a trial, in percent, higher is better; all of it of the source language."""

GRID_LIMIT = 200
"""Trials of a grid that are started without ``--yes``."""


class Searcher(StrEnum):
    """Who says what is tried next."""

    GRID = "grid"
    """Every combination of the listed values."""
    RANDOM = "random"
    """Independent draws."""
    OPTUNA = "optuna"
    """Tree-structured Parzen estimators: draws near what did well."""
    NEVERGRAD = "nevergrad"
    """Evolution and its relatives, chosen by Nevergrad's NGOpt for the space and the budget."""


class Scheduler(StrEnum):
    """Who may end a trial early."""

    NONE = "none"
    ASHA = "asha"
    """Successive halving, asynchronous: of those that came as far, the best 1/reduction go on."""


def _scheduler(value: object) -> object:
    if value == "pbt":
        raise ValueError(
            "pbt changes the settings of a model while it trains, so its score would belong to no "
            "setting, and no warm-up or training could be shared or found again; use asha, which "
            "ends poor trials early, or none"
        )
    return {"name": value} if isinstance(value, str) else value


def _known(kind: type[StrEnum], value: object) -> object:
    if isinstance(value, str) and value not in [one.value for one in kind]:
        raise ValueError(f"unknown {kind.__name__.lower()} {value!r}; known: {', '.join(kind)}")
    return value


class SchedulerSettings(BaseModel, frozen=True, extra="forbid"):
    """Early stopping."""

    name: Annotated[Scheduler, BeforeValidator(lambda value: _known(Scheduler, value))]
    """Who may end a trial early."""
    grace_steps: int | None = Field(default=None, ge=1)
    """Fine-tuning steps before which no trial is ended; None: the first look at the dev set."""
    reduction: int = Field(default=3, ge=2)
    """One of so many goes on from each rung; rungs are apart by this factor."""


class SweepSettings(BaseModel, frozen=True, extra="forbid"):
    """What ``xlwarm sweep`` does with a study."""

    parameters: Space = Field(min_length=1)
    """By dotted name: a list of values, ``{grid: [...]}``, or ``{uniform: [low, high]}``."""
    strategy: str = "mtl-ws"
    """Whose models the trials train."""
    metric: str = "dev_f1"
    """What judges a trial: ``dev_f1`` or ``dev_f1_last``, both of the source language."""
    seeds: tuple[int, ...] | None = Field(default=None, min_length=1)
    """Of every trial; the mean over them decides. None: those of the study."""
    searcher: Annotated[Searcher, BeforeValidator(lambda value: _known(Searcher, value))] = (
        Searcher.GRID
    )
    """Who says what is tried next."""
    search_seed: int = Field(default=0, ge=0)
    """Of the searcher's own draws."""
    scheduler: Annotated[SchedulerSettings, BeforeValidator(_scheduler)] = SchedulerSettings(
        name=Scheduler.NONE
    )
    trials: int | None = Field(default=None, ge=1)
    """At most so many, those of earlier executions counted. None: the whole grid."""
    minutes: float | None = Field(default=None, gt=0)
    """After so long nothing more is started, and what runs is ended where it is."""
    concurrency: int | None = Field(default=None, ge=1)
    """Trials at once; None: somewhat more than there is room for. A trial that waits holds no core
    or GPU; more at once is faster, fewer let a searcher learn more from each."""

    @field_validator("strategy")
    @classmethod
    def _known_strategy(cls, name: str) -> str:
        try:
            found = strategy(name)
        except InputError as error:
            raise ValueError(str(error)) from None
        if found.members:
            raise ValueError(
                f"{name} is made of other strategies' models and trains none of its own, so there "
                f"is nothing to sweep; sweep one of {', '.join(found.members)}"
            )
        return name

    @field_validator("metric")
    @classmethod
    def _of_the_source(cls, name: str) -> str:
        if name in METRICS:
            return name
        known = "; ".join(f"{metric} ({text})" for metric, text in METRICS.items())
        if name.startswith("test") or name.partition(".")[0] in ("f1", "target_f1", "test_f1"):
            raise ValueError(
                f"{name} is of a target language: to choose by it would need gold labels of the "
                "targets, and the scores reported would be of data that was chosen on. A sweep "
                f"judges by the source language alone: {known}"
            )
        raise ValueError(f"unknown metric {name!r}; known: {known}")

    @model_validator(mode="after")
    def _fits_the_searcher(self) -> "SweepSettings":
        problems = list(self._problems())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _problems(self) -> Any:
        for name, parameter in self.parameters.items():
            if self.searcher is Searcher.GRID and isinstance(parameter, Range):
                yield (
                    f"parameters.{name} is {parameter.kind}, but a grid needs a list of values; "
                    "give one, or take the searcher random"
                )
            learns = self.searcher in (Searcher.OPTUNA, Searcher.NEVERGRAD)
            if learns and isinstance(parameter, Values) and parameter.kind == "grid":
                yield (
                    f"parameters.{name} is a grid, but the searcher {self.searcher} chooses what "
                    "it tries; write choice"
                )
        if self.searcher is not Searcher.GRID and self.trials is None:
            yield f"the searcher {self.searcher} needs a number of trials"

    @property
    def grid_size(self) -> int:
        """Combinations of all lists."""
        lists = (one for one in self.parameters.values() if isinstance(one, Values))
        return prod(len(one.values) for one in lists)

    @property
    def size(self) -> int:
        """Trials that are asked for."""
        if self.searcher is Searcher.GRID:
            return min(self.grid_size, self.trials or self.grid_size)
        return self.trials or 0

"""What the trials of a sweep say together: pure functions on plain records.

Only trials that were finished and have a finite score are compared. One that failed or was stopped
early has seen less training than the others: it is shown, counted, and in no mean.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from statistics import fmean, stdev
from typing import Any

from orchestrator.sweep.records import Cost, Trial, TrialState, total
from orchestrator.sweep.space import Range, Values

MOST_LEVELS = 8
"""Different values of a setting that are shown one by one; more are put together."""

BINS = 5
"""Into so many groups, of about as many values each."""

LAST = (
    TrialState.FINISHED,
    TrialState.STOPPED,
    TrialState.RUNNING,
    TrialState.PENDING,
    TrialState.FAILED,
)
"""In a ranking, trials of a later state come behind all of an earlier one."""


def is_compared(trial: Trial) -> bool:
    """True if the trial came to its end and has a score that is a number."""
    return (
        trial.state is TrialState.FINISHED
        and trial.score is not None
        and math.isfinite(trial.score)
    )


def scored(trials: Iterable[Trial]) -> list[tuple[Trial, float]]:
    """The trials that are compared, each with its score."""
    return [(one, one.score or 0.0) for one in trials if is_compared(one)]


def ranking(trials: Iterable[Trial]) -> list[Trial]:
    """Best first, the earlier of equal ones first; those that are not compared at the end."""

    def place(trial: Trial) -> tuple[bool, int, float, int]:
        score = trial.score
        known = score is not None and math.isfinite(score)
        last = LAST.index(trial.state)
        return not is_compared(trial), last, -(score or 0.0) if known else 0.0, trial.number

    return sorted(trials, key=place)


def value_text(value: Any) -> str:
    """A setting's value for people.

    >>> value_text(5e-05), value_text(100), value_text("mean"), value_text(True)
    ('5e-05', '100', 'mean', 'true')
    """
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, int | float) else str(value)


@dataclass(frozen=True, slots=True)
class Level:
    """A value of a setting, or several neighbouring ones that are looked at together."""

    label: str
    values: tuple[Any, ...]

    @property
    def centre(self) -> float:
        """Geometric mean of positive numbers, else the mean; NaN for what is no number."""
        if not all(_is_number(value) for value in self.values):
            return math.nan
        if all(value > 0 for value in self.values):
            return math.exp(fmean(math.log(value) for value in self.values))
        return fmean(self.values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def levels(name: str, trials: Iterable[Trial], parameter: Range | Values | None) -> list[Level]:
    """What is told apart of a setting: every value while they are few, else groups of neighbours.

    Args:
        name: Of the setting.
        trials: Of the sweep.
        parameter: What is searched; values that it lists are levels even if no trial has them.
    """
    listed = list(parameter.values) if isinstance(parameter, Values) else []
    found = dict.fromkeys([*listed, *(one.settings[name] for one in trials)])
    if not all(_is_number(value) for value in found):
        return [Level(value_text(value), (value,)) for value in found]
    ordered = sorted(found)
    if len(ordered) <= max(MOST_LEVELS, len(listed)):
        return [Level(value_text(value), (value,)) for value in ordered]
    edges = [round(k * len(ordered) / BINS) for k in range(BINS + 1)]
    groups = [tuple(ordered[a:b]) for a, b in pairwise(edges)]
    return [Level(f"{value_text(one[0])} to {value_text(one[-1])}", one) for one in groups]


@dataclass(frozen=True, slots=True)
class Effect:
    """What trials with one level of a setting score, whatever their other settings are."""

    level: Level
    scores: tuple[float, ...]
    """Of the compared trials."""
    left_out: int
    """Trials that failed, were stopped, or have not ended."""

    @property
    def mean(self) -> float | None:
        """Over the other settings; None without a compared trial."""
        return fmean(self.scores) if self.scores else None

    @property
    def spread(self) -> float:
        """Sample standard deviation over the other settings; 0 for one trial."""
        return stdev(self.scores) if len(self.scores) > 1 else 0.0


def marginal(
    name: str, trials: Sequence[Trial], parameter: Range | Values | None = None
) -> list[Effect]:
    """The effect of every level of a setting."""
    return [
        _effect(level, [one for one in trials if one.settings[name] in level.values])
        for level in levels(name, trials, parameter)
    ]


def _effect(level: Level, trials: Sequence[Trial]) -> Effect:
    scores = tuple(score for _, score in scored(trials))
    return Effect(level, scores, len(trials) - len(scores))


def explained(effects: Sequence[Effect]) -> float | None:
    """Share of the scores' variance that a setting explains alone, 0 to 1 (correlation ratio η²):
    the sum of squares between its levels over that of all trials.

    In a full grid the shares of all settings add up to at most 1; the rest is how they interact.
    None if fewer than two levels were compared, or all scores are the same.
    """
    found = [effect for effect in effects if effect.scores]
    scores = [score for effect in found for score in effect.scores]
    if len(found) < 2:
        return None
    centre = fmean(scores)
    whole = sum((score - centre) ** 2 for score in scores)
    between = sum(len(one.scores) * ((one.mean or 0.0) - centre) ** 2 for one in found)
    return between / whole if whole > 0 else None


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Scores by two settings, mean over all others."""

    rows: tuple[Level, ...]
    columns: tuple[Level, ...]
    cells: Mapping[tuple[str, str], Effect]
    """By the labels of row and column; each is there, with or without a score."""

    def means(self) -> list[list[float | None]]:
        """Row by row; None where no trial can be compared."""
        return [[self.at(row, column).mean for column in self.columns] for row in self.rows]

    def at(self, row: Level, column: Level) -> Effect:
        """The trials that have both levels."""
        return self.cells[row.label, column.label]


def heat_map(
    row: str,
    column: str,
    trials: Sequence[Trial],
    space: Mapping[str, Range | Values],
) -> HeatMap:
    """Mean score of the trials at every pair of levels.

    Args:
        row: Name of one setting.
        column: Of the other.
        trials: Of the sweep.
        space: What is searched.
    """
    rows, columns = (levels(name, trials, space.get(name)) for name in (row, column))
    cells = {}
    for one, other in product(rows, columns):
        here = [
            trial
            for trial in trials
            if trial.settings[row] in one.values and trial.settings[column] in other.values
        ]
        cells[one.label, other.label] = _effect(one, here)
    return HeatMap(tuple(rows), tuple(columns), cells)


@dataclass(frozen=True, slots=True)
class Spent:
    """Gradient steps of one part of the training, over all trials."""

    part: str
    naive: int
    """If every trial had done everything itself."""
    executed: int

    @property
    def factor(self) -> float | None:
        """How many times fewer; None if nothing was executed."""
        return self.naive / self.executed if self.executed else None


def spent(trials: Iterable[Trial]) -> list[Spent]:
    """Warm-up (steps of each of its languages), fine-tuning, and both."""
    trials = list(trials)
    naive, executed = total(one.naive for one in trials), total(one.executed for one in trials)
    parts = {"warm-up": "warmup", "fine-tuning": "finetune"}
    rows = [Spent(part, getattr(naive, key), getattr(executed, key)) for part, key in parts.items()]
    return [*rows, Spent("both", _both(naive), _both(executed))]


def _both(cost: Cost) -> int:
    return cost.warmup + cost.finetune


def near_the_best(trials: Iterable[Trial]) -> list[Trial]:
    """Compared trials, the best one first, that the seeds do not tell from it: less than the larger
    of the two standard deviations over seeds behind. The best alone where there is one seed.
    """
    found = ranking(one for one in trials if is_compared(one))
    if not found:
        return []
    best = found[0]
    top = best.score or 0.0
    return [
        one
        for one in found
        if one is best or top - (one.score or 0.0) < max(best.spread, one.spread)
    ]

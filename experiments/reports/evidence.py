"""All that a study has found so far, read from the store once and compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from experiments.reports.resampling import Counts, Pair
from experiments.reports.significance import Comparison, Question, answer
from orchestrator.plan import Plan
from orchestrator.predictions import TestSet, read_predictions
from orchestrator.results import AVERAGE, Cell, RunResult, cells, results
from orchestrator.store import StepStore
from orchestrator.study import Study
from trainers.strategies import strategy


@dataclass(frozen=True)
class Evidence:
    """What a report is made of.

    Args:
        plan: Of the study.
        store: Where its steps are.
        command: The command line that runs it.
        baseline: Compare with this strategy; None for the best baseline of each column.
    """

    plan: Plan
    store: StepStore
    command: str
    baseline: str | None = None

    @property
    def study(self) -> Study:
        """Of the plan."""
        return self.plan.study

    @property
    def columns(self) -> tuple[str, ...]:
        """Targets and their average."""
        return (*self.study.targets, AVERAGE)

    def look(self, name: str) -> int:
        """Number of a strategy, by which its colour and marker are chosen."""
        return self.study.strategies.index(name)

    @cached_property
    def found(self) -> list[RunResult]:
        """Every strategy x seed x language that is done."""
        return results(self.plan, self.store)

    @cached_property
    def scores(self) -> dict[tuple[str, str], Cell]:
        """Means over seeds by strategy and column."""
        return cells(self.found, self.study.targets)

    @cached_property
    def tests(self) -> dict[str, TestSet]:
        """Predictions beside gold by language."""
        return read_predictions(self.plan, self.store)

    @cached_property
    def missing(self) -> dict[str, list[tuple[str, int]]]:
        """Language and seed of what is not done, by strategy."""
        done = {(one.strategy, one.language, one.seed) for one in self.found}
        missing = {
            name: [
                (language, seed)
                for language in self.study.targets
                for seed in self.study.seeds
                if (name, language, seed) not in done
            ]
            for name in self.study.strategies
        }
        return {name: cells for name, cells in missing.items() if cells}

    def best(self, column: str, among: Sequence[str] | None = None) -> str | None:
        """The strategy with the highest mean in ``column``, of all or of some; None if none is
        done.
        """
        names = self.study.strategies if among is None else among
        done = [name for name in names if (name, column) in self.scores]
        return max(done, key=lambda name: self.scores[name, column].mean, default=None)

    @cached_property
    def baselines(self) -> dict[str, str]:
        """What strategies are compared with, by column: the best that has no warm start and is not
        made of others.
        """
        known = {name: strategy(name) for name in self.study.strategies}
        cold = [name for name, one in known.items() if not one.warm_start and not one.members]
        chosen = {
            column: self.best(column, [self.baseline] if self.baseline else cold)
            for column in self.columns
        }
        return {column: name for column, name in chosen.items() if name is not None}

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Every strategy with the baseline of each column, over the seeds that both have."""
        counts = {language: counts_of(test) for language, test in self.tests.items()}
        return answer(counts, list(self._questions(counts)))

    def _questions(self, counts: Mapping[str, Counts]) -> list[Question]:
        asked = []
        for column, baseline in self.baselines.items():
            languages = self.study.targets if column == AVERAGE else (column,)
            for name in self.study.strategies:
                seeds = [
                    counts[one].seeds_of(each) for one in languages for each in (name, baseline)
                ]
                common = tuple(sorted(set.intersection(*seeds)))
                if name != baseline and common:
                    asked.append(Question(column, tuple(languages), Pair(name, baseline, common)))
        return asked

    def comparison(self, name: str, column: str) -> Comparison | None:
        """Of one strategy in one column, if there is one."""
        found = (c for c in self.comparisons if (c.strategy, c.column) == (name, column))
        return next(found, None)


def counts_of(test: TestSet) -> Counts:
    """The counts of a test set as they are resampled."""
    return Counts(
        tuple(test.tested),
        np.array([one.correct for one in test.tested.values()], dtype=np.float32),
        np.array([one.predicted for one in test.tested.values()], dtype=np.float32),
        test.gold.counts.astype(np.float32),
    )

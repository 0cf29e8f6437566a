"""A sweep in Tune's words: its space, its searchers and its scheduler."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ray import tune
from ray.tune.schedulers import ASHAScheduler, TrialScheduler
from ray.tune.search import Searcher as TuneSearcher

from orchestrator.sweep.points import domain
from orchestrator.sweep.settings import Scheduler, Searcher, SweepSettings
from orchestrator.sweep.space import Settings
from projection.errors import InputError

SETTINGS = "settings"
"""Under which a trial's settings lie in its Tune configuration."""


@dataclass(frozen=True)
class Search:
    """What Tune is asked to do.

    Args:
        sweep: Searcher, scheduler, metric.
        points: Known settings first, then, of a list, all that are to come.
        trials: How many in all, ``points`` counted.
        concurrency: At once.
        steps: Fine-tuning steps of the longest trial.
        first_look: Fine-tuning steps after which the dev set is first looked at.
    """

    sweep: SweepSettings
    points: Sequence[Settings]
    trials: int
    concurrency: int
    steps: int
    first_look: int

    @property
    def space(self) -> dict[str, Any]:
        """For Tune: the points themselves, or the domains that a searcher chooses from."""
        if self._is_list:
            return {SETTINGS: tune.grid_search(list(self.points))}
        return {SETTINGS: {name: domain(one) for name, one in self.sweep.parameters.items()}}

    @property
    def seed(self) -> int:
        """Of the searcher. It draws anew after points that are known, not the same ones again."""
        sequence = np.random.SeedSequence([self.sweep.search_seed, len(self.points)])
        return int(sequence.generate_state(1)[0])

    @property
    def _is_list(self) -> bool:
        return self.sweep.searcher in (Searcher.GRID, Searcher.RANDOM)

    def config(self) -> tune.TuneConfig:
        """All of it."""
        return tune.TuneConfig(
            metric=self.sweep.metric,
            mode="max",
            search_alg=None if self._is_list else self._searcher(),
            scheduler=self._scheduler(),
            num_samples=1 if self._is_list else self.trials,
            max_concurrent_trials=self.concurrency,
            reuse_actors=True,
        )

    def _scheduler(self) -> TrialScheduler | None:
        settings = self.sweep.scheduler
        if settings.name is Scheduler.NONE:
            return None
        return ASHAScheduler(
            time_attr="step",
            grace_period=min(settings.grace_steps or max(1, self.first_look), self.steps),
            reduction_factor=settings.reduction,
            max_t=self.steps,
        )

    def _searcher(self) -> TuneSearcher:
        make = {Searcher.OPTUNA: _optuna, Searcher.NEVERGRAD: _nevergrad}[self.sweep.searcher]
        try:
            return make(self)
        except (AssertionError, ImportError):
            raise InputError(
                f"the searcher {self.sweep.searcher} is not installed: "
                f"pip install 'xlwarm[{self.sweep.searcher}]'"
            ) from None


def _optuna(search: Search) -> TuneSearcher:
    import optuna
    from ray.tune.search.optuna import OptunaSearch

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    known = [{f"{SETTINGS}/{name}": value for name, value in one.items()} for one in search.points]
    return OptunaSearch(points_to_evaluate=known, seed=search.seed)


def _nevergrad(search: Search) -> TuneSearcher:
    import nevergrad
    from ray.tune.search.nevergrad import NevergradSearch

    with warnings.catch_warnings():
        # It would like wider ranges; they are what the study says.
        warnings.simplefilter("ignore", nevergrad.errors.NevergradRuntimeWarning)
        space: Any = NevergradSearch.convert_search_space(search.space)
    space.random_state.seed(search.seed)
    known = [{f"{SETTINGS}/{name}": value for name, value in one.items()} for one in search.points]
    return NevergradSearch(
        optimizer=nevergrad.optimizers.NGOpt,
        optimizer_kwargs={"budget": search.trials, "num_workers": search.concurrency},
        space=space,
        points_to_evaluate=known,
        metric=search.sweep.metric,
        mode="max",
    )

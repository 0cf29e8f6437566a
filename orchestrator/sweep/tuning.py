"""Ray Tune, in a thread of its own: it searches, schedules and stops; the main thread computes."""

import logging
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.schedulers import ASHAScheduler, TrialScheduler
from ray.tune.search import Searcher as TuneSearcher

from orchestrator.sweep.desk import Coordinator
from orchestrator.sweep.points import domain
from orchestrator.sweep.settings import Searcher, SweepSettings
from orchestrator.sweep.space import Settings
from projection.errors import InputError

SETTINGS = "settings"
"""Under which a trial's settings lie in its Tune configuration."""

COORDINATOR_BYTES = 2**20
"""Tune insists that a trial holds something; a little memory is on every node."""

RETRIES = 3
"""Of a coordinator whose process died; its steps go on meanwhile."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Tune wants the reports of a trial, which it calls ``key``."""

    key: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class Reported:
    """Tune has taken in ``count`` reports of a trial."""

    key: str
    count: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Tune wants no more of a trial."""

    key: str


Message = Asked | Reported | Ended


class _Listener(tune.Callback):
    """Passes on what happens to trials."""

    def __init__(self, messages: "queue.SimpleQueue[Message]") -> None:
        self._messages = messages

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._messages.put(Asked(trial.trial_id, dict(trial.config[SETTINGS])))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        self._messages.put(Reported(trial.trial_id, result["training_iteration"]))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._messages.put(Ended(trial.trial_id))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._messages.put(Ended(trial.trial_id))


class _Bell(tune.Stopper):
    """Ends the search when it is rung."""

    def __init__(self, rung: threading.Event) -> None:
        self._rung = rung

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._rung.is_set()


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
        if settings.name == "none":
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
    return OptunaSearch(points_to_evaluate=known, seed=search.sweep.search_seed)


def _nevergrad(search: Search) -> TuneSearcher:
    import nevergrad
    from ray.tune.search.nevergrad import NevergradSearch

    space: Any = NevergradSearch.convert_search_space(search.space)
    space.random_state.seed(search.sweep.search_seed)
    known = [{f"{SETTINGS}/{name}": value for name, value in one.items()} for one in search.points]
    return NevergradSearch(
        optimizer=nevergrad.optimizers.NGOpt,
        optimizer_kwargs={"budget": search.trials, "num_workers": search.concurrency},
        space=space,
        points_to_evaluate=known,
        metric=search.sweep.metric,
        mode="max",
    )


class TuneThread:
    """Runs a search beside the main thread.

    Args:
        search: What to do.
        desk: Name of the actor on which reports are put.
        folder: For Tune's own files; nothing in it is needed afterwards.
    """

    def __init__(self, search: Search, desk: str, folder: Path) -> None:
        self._search, self._desk, self._folder = search, desk, folder
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._over = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="tune", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._tuner = self._make()
        self._thread.start()

    def _make(self) -> tune.Tuner:
        logging.getLogger("ray.tune").setLevel(logging.ERROR)
        search = self._search
        bundle = tune.PlacementGroupFactory([{"memory": COORDINATOR_BYTES}])
        config = search.config()
        # A searcher that was given its space must not be given it again.
        space = {} if search.sweep.searcher is Searcher.NEVERGRAD else search.space
        return tune.Tuner(
            tune.with_resources(Coordinator, bundle),
            param_space=space | {"desk": self._desk},
            tune_config=config,
            run_config=tune.RunConfig(
                name="sweep",
                storage_path=str(self._folder),
                stop=_Bell(self._over),
                failure_config=tune.FailureConfig(max_failures=RETRIES),
                callbacks=[_Listener(self._messages)],
                verbose=0,
            ),
        )

    def _run(self) -> None:
        try:
            self._tuner.fit()
        except BaseException as error:
            self._error = error

    def messages(self) -> list[Message]:
        """What has happened since the last call.

        Raises:
            RuntimeError: Tune failed.
        """
        if self._error is not None:
            raise RuntimeError(f"Ray Tune failed: {self._error}") from self._error
        found = []
        while not self._messages.empty():
            found.append(self._messages.get())
        return found

    @property
    def alive(self) -> bool:
        """False once the search is over."""
        return self._thread.is_alive() or not self._messages.empty()

    def end(self) -> None:
        """Let it start no more trials, and wait until it has ended."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=60)

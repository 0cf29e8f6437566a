"""Ray Tune, in a thread of its own: it searches, schedules and stops; the main thread computes."""

import logging
import queue
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune

from orchestrator.sweep.desk import Coordinator
from orchestrator.sweep.search import SETTINGS, Search
from orchestrator.sweep.settings import Searcher
from orchestrator.sweep.space import Settings

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
    problem: str | None = None
    """Why Tune gave it up."""


Message = Asked | Reported | Ended


class _OfThisProcess:
    """Tune writes callbacks and stoppers down; what ties these to the driver does not travel."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _Listener(_OfThisProcess, tune.Callback):
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
        problem = f"Ray Tune lost its coordinator {RETRIES + 1} times"
        self._messages.put(Ended(trial.trial_id, problem))


class _Bell(_OfThisProcess, tune.Stopper):
    """Ends the search when it is rung."""

    def __init__(self, rung: threading.Event) -> None:
        self._rung = rung

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._rung.is_set()


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
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
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
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
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

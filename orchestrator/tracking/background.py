"""Logging beside a running study."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar

from orchestrator.execute import Observer
from orchestrator.fingerprints import Json
from orchestrator.plan import Plan, RunSpec
from orchestrator.steps.base import Every, Step
from orchestrator.store import StepStore
from orchestrator.tracking.curves import live_points
from orchestrator.tracking.tracker import Tracker

RETRY_SECONDS = 60.0
"""After a failure, nothing is sent for so long."""

SAMPLE_SECONDS = 30.0
"""Between two measurements of the driver's machine."""

LIVE_SECONDS = 10.0
"""Between two looks at how models do that train."""


Log = TypeVar("Log")


class Background(Generic[Log]):
    """Logs in one thread, beside what is logged; a server that is away costs nothing.

    Args:
        make: Connects to the server; called in the thread, when something is to be logged.
    """

    def __init__(self, make: Callable[[], Log]) -> None:
        self.problem: str | None = None
        """Why nothing is sent at present."""
        self.failed_at = -RETRY_SECONDS
        self._make = make
        self._log: Log | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mlflow")

    def submit(self, act: Callable[[], None]) -> Future[None]:
        """Let the thread do ``act`` after all that came before."""
        return self._thread.submit(act)

    def attempt(self, act: Callable[[Log], None]) -> None:
        """In the thread: do ``act``, unless there is a problem; if it fails, there is one."""
        if self.problem:
            return
        try:
            if self._log is None:
                self._log = self._make()
            act(self._log)
        except Exception as error:
            self.problem = f"{type(error).__name__}: {error}"
            self.failed_at = time.monotonic()

    def again(self) -> None:
        """In the thread: forget a problem, and what was known of the server before it."""
        if self.problem:
            self._log, self.problem = None, None

    def close(self, last: Callable[[Log], None]) -> None:
        """Wait for what is being logged; then try ``last``, whatever was the matter before."""
        self.submit(self.again)
        self.submit(partial(self.attempt, last))
        self._thread.shutdown(wait=True)


class BackgroundTracking(Observer):
    """Logs to MLflow beside a running study, in one thread; a server that is away costs nothing.

    What could not be logged is tried again a minute later, with the next model that is done, and by
    :meth:`close`. While the study runs, MLflow also measures the machine of the driver.
    """

    def __init__(self, plan: Plan, store: StepStore, uri: str) -> None:
        self._plan, self._store, self._uri = plan, store, uri
        self._log = Background(partial(Tracker, plan, store, uri))
        self._monitor: Any = None
        self._waiting: list[RunSpec] = []
        self._begun: dict[str, int] = {}
        self._due = Every(LIVE_SECONDS)
        self._curves: Future[None] | None = None
        self._log.submit(self._open)

    @property
    def problem(self) -> str | None:
        """Why nothing is sent at present; None if all is well."""
        return self._log.problem

    def started(self, step: Step) -> None:
        """Remember when."""
        self._begun[step.fingerprint] = _now()

    def finished(self, step: Step) -> None:
        """Log the models that the step belongs to."""
        for spec in self._plan.specs:
            if step in (spec.model, *spec.evaluations):
                self._log.submit(partial(self._note, spec))

    def tick(self, states: Mapping[str, Mapping[str, Json]]) -> None:
        """Log the curves of models that train, as far as they have grown."""
        training = [
            (spec, states[spec.model.fingerprint])
            for spec in self._plan.specs
            if spec.model.fingerprint in states
        ]
        busy = self._curves is not None and not self._curves.done()
        if training and not busy and self._due():
            self._curves = self._log.submit(partial(self._note_training, training, _now()))

    def _note_training(
        self, training: Sequence[tuple[RunSpec, Mapping[str, Json]]], when: int
    ) -> None:
        for spec, state in training:
            if not self._store.is_done(spec.model):
                begun = self._begun.get(spec.model.fingerprint, when)
                points = list(live_points(state, when))
                self._log.attempt(
                    partial(Tracker.log_training, spec=spec, started=begun, points=points)
                )

    def close(self, status: str, texts: Mapping[str, str]) -> None:
        """Wait for what is being logged, log what is missing, close the runs of the study."""
        self._log.submit(self._stop_monitor)
        self._log.close(lambda tracker: tracker.finish(status, texts))

    def _open(self) -> None:
        self._log.attempt(self._start)

    def _start(self, tracker: Tracker) -> None:
        run = tracker.start()
        if self._monitor is None:
            self._monitor = _monitor(run, self._uri)

    def _note(self, spec: RunSpec) -> None:
        if spec not in self._waiting:
            self._waiting.append(spec)
        if self.problem and time.monotonic() - self._log.failed_at >= RETRY_SECONDS:
            self._log.again()
            self._open()
        while self._waiting and not self.problem:
            self._log.attempt(lambda tracker: tracker.log_spec(self._waiting[0]))
            if not self.problem:
                self._waiting.pop(0)

    def _stop_monitor(self) -> None:
        if self._monitor is not None:
            with suppress(Exception):
                self._monitor.finish()


def _now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _monitor(run: str, uri: str) -> Any:
    """MLflow's own measurement of this machine: processors, memory, disk, network, GPUs."""
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    monitor = SystemMetricsMonitor(
        run, sampling_interval=SAMPLE_SECONDS, resume_logging=True, tracking_uri=uri
    )
    monitor.start()
    return monitor

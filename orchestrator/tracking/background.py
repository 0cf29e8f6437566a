"""Logging beside a running study."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from orchestrator.execute import Failure
from orchestrator.fingerprints import Json
from orchestrator.plan import Plan, RunSpec
from orchestrator.steps.base import Step
from orchestrator.store import StepStore
from orchestrator.tracking.tracker import Tracker

RETRY_SECONDS = 60.0
"""After a failure, nothing is sent for so long."""

SAMPLE_SECONDS = 30.0
"""Between two measurements of the driver's machine."""


class BackgroundTracking:
    """Logs to MLflow beside a running study, in one thread; a server that is away costs nothing.

    What could not be logged is tried again a minute later, with the next model that is done, and by
    :meth:`close`. While the study runs, MLflow also measures the machine of the driver.
    """

    def __init__(self, plan: Plan, store: StepStore, uri: str) -> None:
        self.problem: str | None = None
        self._plan, self._uri = plan, uri
        self._make = partial(Tracker, plan, store, uri)
        self._tracker: Tracker | None = None
        self._monitor: Any = None
        self._waiting: list[RunSpec] = []
        self._failed_at = -RETRY_SECONDS
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mlflow")
        self._thread.submit(self._try, self._open)

    def started(self, step: Step) -> None:
        """Nothing to log yet."""

    def finished(self, step: Step) -> None:
        """Log the models that the step belongs to."""
        for spec in self._plan.specs:
            if step in (spec.model, *spec.evaluations):
                self._thread.submit(self._log, spec)

    def lost(self, step: Step, failure: Failure) -> None:
        """Nothing to log; the step starts again."""

    def failed(self, step: Step, failure: Failure) -> None:
        """The parent run's status says so in the end."""

    def tick(self, states: Mapping[str, Mapping[str, Json]]) -> None:
        """Nothing to log."""

    def close(self, status: str, texts: Mapping[str, str]) -> None:
        """Wait for what is being logged, log what is missing, close the runs of the study."""
        self._thread.submit(self._stop_monitor)
        self._thread.submit(self._again)
        self._thread.submit(self._try, lambda: self._ready().finish(status, texts))
        self._thread.shutdown(wait=True)

    def _open(self) -> None:
        run = self._ready().start()
        if self._monitor is None:
            self._monitor = _monitor(run, self._uri)

    def _log(self, spec: RunSpec) -> None:
        if spec not in self._waiting:
            self._waiting.append(spec)
        if self.problem and time.monotonic() - self._failed_at >= RETRY_SECONDS:
            self._again()
            self._try(self._open)
        while self._waiting and not self.problem:
            self._try(lambda: self._ready().log_spec(self._waiting[0]))
            if not self.problem:
                self._waiting.pop(0)

    def _again(self) -> None:
        """Forget a failure, and what was known of the server before it."""
        if self.problem:
            self._tracker, self.problem = None, None

    def _ready(self) -> Tracker:
        if self._tracker is None:
            self._tracker = self._make()
        return self._tracker

    def _try(self, log: Callable[[], None]) -> None:
        if self.problem:
            return
        try:
            log()
        except Exception as error:
            self.problem = f"{type(error).__name__}: {error}"
            self._failed_at = time.monotonic()

    def _stop_monitor(self) -> None:
        if self._monitor is not None:
            with suppress(Exception):
                self._monitor.finish()


def _monitor(run: str, uri: str) -> Any:
    """MLflow's own measurement of this machine: processors, memory, disk, network, GPUs."""
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    monitor = SystemMetricsMonitor(
        run, sampling_interval=SAMPLE_SECONDS, resume_logging=True, tracking_uri=uri
    )
    monitor.start()
    return monitor

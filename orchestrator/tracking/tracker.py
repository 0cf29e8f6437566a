"""One study in MLflow: opened, logged model by model, closed."""

import os
import socket
from collections.abc import Iterable, Mapping

import psutil

from orchestrator.mlflow_runs import MlflowRuns
from orchestrator.plan import Plan, RunSpec
from orchestrator.store import StepStore
from orchestrator.tracking.content import KILLED, RUNNING, Point
from orchestrator.tracking.names import common_tags
from orchestrator.tracking.study_runs import StudyRuns
from orchestrator.tracking.writer import RunWriter

DRIVER = "xlwarm.driver"
"""Tag of a study's run: host and process that log it."""


class Tracker:
    """Writes a plan into one MLflow experiment, named like the study.

    Args:
        plan: What to log.
        store: Where its results are.
        uri: Of the tracking server or database.
    """

    def __init__(self, plan: Plan, store: StepStore, uri: str) -> None:
        self._content = StudyRuns(plan, store)
        self._specs = plan.specs
        self.runs = MlflowRuns(plan.study.name, store, uri, common_tags(plan.study))
        """Of the study's experiment."""
        self._writer = RunWriter(self.runs)
        self._training: set[str] = set()

    def start(self) -> str:
        """Open the study's run; returns its id. Close what dead drivers left open."""
        run = self._writer.write(self._content.whole(RUNNING))
        self.runs.client.set_tag(run, DRIVER, f"{socket.gethostname()} {os.getpid()}")
        self._close_abandoned()
        return run

    def _close_abandoned(self) -> None:
        """End as killed what drivers of this machine left running that are no more."""
        found = self.runs.found
        dead = {
            run.info.run_id
            for key, run in found.items()
            if key != self._content.parent
            and run.info.status == RUNNING
            and _is_dead(run.data.tags.get(DRIVER, ""))
        }
        for run in found.values():
            under = run.data.tags.get("mlflow.parentRunId")
            if run.info.status == RUNNING and dead & {run.info.run_id, under}:
                self.runs.client.set_terminated(run.info.run_id, KILLED)

    def log_training(self, spec: RunSpec, started: int, points: Iterable[Point]) -> None:
        """Show how a model does that still trains.

        Args:
            spec: The model.
            started: When its training began, in milliseconds since 1970.
            points: Of its curves so far; those that are shown already are left out.
        """
        content = self._content.training(spec, started)
        run = self._writer.write(content)
        if spec.fingerprint not in self._training:
            self._training.add(spec.fingerprint)
            self.runs.client.update_run(run, status=RUNNING)  # an attempt before may have ended it
        self._writer.add(run, points)

    def log_spec(self, spec: RunSpec) -> None:
        """Log a finished model, and those of its evaluations that are done."""
        for content in self._content.of_spec(spec):
            self._writer.write(content)

    def finish(self, status: str, texts: Mapping[str, str]) -> None:
        """Log all that there is and is not logged yet, means over seeds and ``texts`` included.

        Nothing is left running: what is not complete ends with ``status``.
        """
        for content in self._content.all(status, texts):
            self._writer.write(content)
        self._end_training(status)

    def _end_training(self, status: str) -> None:
        """End what shows a model that is not done: neither here nor by a driver before."""
        for spec in self._content.undone():
            key = ("model", spec.fingerprint)
            before = self.runs.found.get(key)
            if spec.fingerprint in self._training or (before and before.info.status == RUNNING):
                self.runs.client.set_terminated(self.runs.run(*key, spec.name), status)


def _is_dead(driver: str) -> bool:
    host, _, process = driver.partition(" ")
    return host == socket.gethostname() and not psutil.pid_exists(int(process or 0))

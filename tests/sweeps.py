"""Sweeps without Ray: a search that asks for listed trials, and steps computed in this process."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.execute import Failure
from orchestrator.local import InProcessLauncher, attempt
from orchestrator.steps.base import Step
from orchestrator.steps.finetune import FinetuneStep
from orchestrator.store import StepStore
from orchestrator.study import Study
from orchestrator.study_file import read_study
from orchestrator.sweep.agenda import agenda
from orchestrator.sweep.engine import Engine
from orchestrator.sweep.records import SweepRecords, Trial
from orchestrator.sweep.trials import TrialPlanner, sweep_of
from orchestrator.sweep.tuning import Asked, Ended, Message, Reported
from tests.studies import write_study


class ListedSearch:
    """Asks for ``points`` one after the other, and hears their reports as Tune would."""

    def __init__(self, points: Iterable[dict[str, Any]], stops: Any = None) -> None:
        self._todo = list(enumerate(points))
        self._reports: dict[str, list[dict[str, Any]]] = {}
        self._heard: dict[str, int] = {}
        self._stops = stops or (lambda _settings, _report: False)
        self._settings: dict[str, dict[str, Any]] = {}
        self._out: list[Message] = []
        self.told: list[tuple[str, dict[str, Any]]] = []

    @property
    def alive(self) -> bool:
        return bool(self._todo or self._settings or self._out)

    def put(self, key: str, reports: list[dict[str, Any]]) -> None:
        self._reports[key] = reports

    def forget(self, key: str) -> None:
        self._reports.pop(key, None)

    def messages(self) -> Sequence[Message]:
        for key in list(self._settings):
            self._listen(key)
        if not self._settings and self._todo:
            number, settings = self._todo.pop(0)
            self._settings[str(number)] = settings
            self._out.append(Asked(str(number), settings))
        out, self._out = self._out, []
        return out

    def _listen(self, key: str) -> None:
        for report in self._reports.get(key, [])[self._heard.get(key, 0) :]:
            self._heard[key] = self._heard.get(key, 0) + 1
            self.told.append((key, report))
            self._out.append(Reported(key, self._heard[key]))
            if report["done"] or self._stops(self._settings[key], report):
                self._out.append(Ended(key))
                del self._settings[key]
                return


def execute_sweep(
    study: Study, store: StepStore, launcher: Any, stops: Any = None
) -> tuple[Engine, SweepRecords, ListedSearch]:
    """The sweep of ``study``, every trial asked for in its turn."""
    planner, record = TrialPlanner(study), sweep_of(study)
    records = SweepRecords(store.files, record.fingerprint)
    todo = agenda(planner, record, records.trials())
    search = ListedSearch(todo.points, stops)
    records.write_sweep(record)
    engine = Engine(record, planner, store, search, todo.numbers, record.scheduler != "none")
    engine.run(search, launcher)
    return engine, records, search


class Sweeping:
    """A sweep of the tiny study in a folder, executed as often as a test likes."""

    def __init__(self, folder: Path, backbone: Path, **settings: Any) -> None:
        self.folder, self.backbone, self.settings = folder, backbone, settings
        self.store = StepStore(folder / "store")

    def execute(self, stops: Any = None, launcher: Any = None, **sweep: Any) -> ListedSearch:
        """Once more, with changes of the ``sweep`` block."""
        study = read_study(write_study(self.folder, self.backbone, **self.settings | sweep))
        launcher = launcher or InProcessLauncher(self.folder / "store")
        self.engine, self.records, search = execute_sweep(study, self.store, launcher, stops)
        return search

    def trials(self) -> list[Trial]:
        return self.records.trials()


class SlowLauncher(InProcessLauncher):
    """Trains in a thread that waits, whenever it has looked at the dev set, for the next turns of
    the engine, so that a scheduler's decision always comes in time.
    """

    TURNS = 4

    def __init__(self, location: Path) -> None:
        super().__init__(location)
        self.steps_taken = 0
        self._now: dict[str, Mapping[str, Any]] = {}
        self._unwanted: set[str] = set()
        self._turn = 0

    def submit(self, step: Step) -> None:
        if not isinstance(step, FinetuneStep):
            super().submit(step)
            return
        key, every = step.fingerprint, step.training.evaluate_every
        self._unwanted.discard(key)

        def wanted() -> bool:
            self.steps_taken += every
            until = self._turn + self.TURNS
            while self._turn < until:
                time.sleep(0.001)
            return key not in self._unwanted

        around = replace(
            self._around,
            wanted=wanted,
            report=lambda state: self._now.__setitem__(key, state),
        )

        def train() -> None:
            failure = attempt(step, around)
            self._ended.append((step, failure))

        threading.Thread(target=train).start()

    def stop(self, step: Step) -> None:
        self._unwanted.add(step.fingerprint)

    def collect(self, timeout: float) -> Sequence[tuple[Step, Failure | None]]:
        self._turn += 1
        time.sleep(0.002)
        for step, _ in self._ended:
            self._now.pop(step.fingerprint, None)
        return super().collect(timeout)

    def states(self) -> Mapping[str, Mapping[str, Any]]:
        return dict(self._now)

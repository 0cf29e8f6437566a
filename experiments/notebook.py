"""A study in a notebook: read it, run it, look at its results (docs/reports.md).

from experiments import Study

study = Study.from_yaml("my-study.yaml")
study.run()
study.results().groupby("strategy").f1.mean()
study.plot("differences")
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from experiments.frames import result_frame
from experiments.options import run_command
from experiments.report import FORMATS, logged_page, rendered
from experiments.reports.evidence import Evidence
from experiments.reports.figures import side_by_side
from experiments.reports.plots import PLOTS
from experiments.reports.significance import Comparison
from orchestrator.plan import Plan, make_plan
from orchestrator.store import StepStore, open_store, snapshot
from orchestrator.study import Study as StudySettings
from orchestrator.study_file import read_study
from projection.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


class StudyFailedError(RuntimeError):
    """Some steps of a study failed; what did not depend on them was computed all the same."""


class Study:
    """A study and what a store has of it.

    Args:
        settings: What the study file says.
        store: Folder or URI of the step store.
        command: The command line that runs it, for reports.

    Raises:
        InputError: A data file or the backbone cannot be had.
    """

    def __init__(
        self, settings: StudySettings, store: str | Path = "store", command: str = ""
    ) -> None:
        self.settings = settings
        self.store: StepStore = open_store(str(store), 60 * settings.cluster.store_patience_minutes)
        self._command = command

    @classmethod
    def from_yaml(
        cls,
        path: str | Path,
        *,
        store: str | Path = "store",
        settings: Mapping[str, Any] = MappingProxyType({}),
    ) -> "Study":
        """The study in a file.

        Args:
            path: Of the YAML file.
            store: Folder or URI of the step store.
            settings: By dotted name, put over those of the file, such as
                ``{"training.steps": 400, "seeds": [1, 2]}``.

        Raises:
            InputError: Everything that is wrong, with file and line.
        """
        overrides = tuple(f"{key}={json.dumps(value)}" for key, value in settings.items())
        study = read_study(Path(path), overrides)
        return cls(study, store, run_command(Path(path), overrides, None))

    @cached_property
    def plan(self) -> Plan:
        """Its models and steps; the data files are read for it."""
        return make_plan(self.settings)

    def run(self, *, tracking: str | None = None) -> "Study":
        """Compute what the store lacks, on Ray, with a progress view; log to MLflow.

        Args:
            tracking: MLflow URI; None for the database in the store.

        Returns:
            The study itself.

        Raises:
            StudyFailedError: Steps failed; the message says which, and where their logs are.
        """
        from orchestrator.environment import prepare_ray

        prepare_ray(self.settings.cluster.address)

        from rich.console import Console

        from experiments.tables import logged_tables
        from orchestrator.driver import run_study
        from orchestrator.logged import default_tracking

        uri = tracking or default_tracking(self.store.root)
        ended = run_study(
            self.plan,
            self.store,
            uri,
            logged_tables,
            Console(stderr=True),
            page=logged_page(self._command),
        )
        if failed := ended.outcome.failed.values():
            raise StudyFailedError(
                "\n".join(f"{step.title()}: {why.message} (log: {why.log})" for step, why in failed)
            )
        return self

    def results(self) -> "DataFrame":
        """One row a strategy, language and seed that is done; columns: ``frames.COLUMNS`` and the
        F1 and gold spans of every label.
        """
        return result_frame(self.plan, snapshot(self.store))

    def missing(self) -> "DataFrame":
        """Strategy, language and seed of every result that is not done."""
        from pandas import DataFrame

        rows = [(name, *cell) for name, cells in self._evidence().missing.items() for cell in cells]
        return DataFrame(rows, columns=["strategy", "language", "seed"])

    def comparisons(self, baseline: str | None = None) -> "DataFrame":
        """Every strategy less the baseline by language and on average (``avg``): difference in
        points, 95 % interval, p over sentences and seeds, and corrected for all comparisons.

        Args:
            baseline: A strategy; None for the best of each column that has no warm start.
        """
        from pandas import DataFrame

        compared = self._evidence(baseline).comparisons
        rows = [asdict(one) | {"significant": one.is_significant} for one in compared]
        names = [*(field.name for field in fields(Comparison)), "significant"]
        return DataFrame(rows, columns=names).rename(columns={"column": "language"})

    def plot(self, what: str = "scores", *, baseline: str | None = None) -> "Figure":
        """A matplotlib figure: ``scores``, ``differences``, ``errors`` or ``curves`` (with and
        without warm-up).

        Raises:
            InputError: There is no such figure, or nothing to draw in it yet.
        """
        if what not in PLOTS:
            raise InputError(f"no plot {what!r}; there are {', '.join(PLOTS)}")
        drawings = list(PLOTS[what](self._evidence(baseline)))
        if not drawings:
            raise InputError(f"nothing is done yet of which {what} could be drawn")
        return side_by_side(drawings)

    def report(self, format_name: str = "html", *, baseline: str | None = None) -> str:
        """What ``xlwarm report --format`` writes.

        Raises:
            InputError: There is no such format.
        """
        if format_name not in FORMATS:
            raise InputError(f"no format {format_name!r}; there are {', '.join(FORMATS)}")
        return rendered(self._evidence(baseline), format_name)

    def _evidence(self, baseline: str | None = None) -> Evidence:
        """Read anew: another process may have computed more."""
        return Evidence(self.plan, snapshot(self.store), self._command, baseline)

"""Runs of one MLflow experiment, found by fingerprint: made once, however often they are logged."""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from orchestrator.store import StepStore

KIND, FINGERPRINT, STEP = "xlwarm.kind", "xlwarm.fingerprint", "xlwarm.step"

ARTEFACTS = "mlflow-artefacts"
"""Folder beside a bare tracking database, for the artefacts of its runs."""

SQLITE = "sqlite:///"

METRICS_PER_CALL, PARAMS_PER_CALL = 1000, 100
"""MLflow's own limits for one batch."""


def quiet_mlflow() -> None:
    """Keep migrations and links off the terminal, and a server that is away from holding up a
    study."""
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.WARNING)
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")


class MlflowRuns:
    """The runs of one experiment by kind and fingerprint.

    A request that a slow server answers too late is repeated, and two drivers may log one study:
    then a run is there twice. The one with the smaller start and id stays, the others are deleted.

    Args:
        experiment: Its name; made if there is none.
        store: Where the artefacts of a bare database go; beside it if None.
        uri: Of the tracking server or database.
        tags: Of every run.
    """

    def __init__(
        self, experiment: str, store: StepStore | None, uri: str, tags: Mapping[str, str]
    ) -> None:
        quiet_mlflow()
        self.client = MlflowClient(tracking_uri=uri)
        self._store, self._tags = store, tags
        self.experiment = self._find_experiment(experiment, uri)
        self.found: dict[tuple[str, str], Run] = {}
        """What was there when this object was made, by kind and fingerprint."""
        for run in sorted(all_runs(self.client, self.experiment), key=_age):
            key = (run.data.tags.get(KIND, ""), run.data.tags.get(FINGERPRINT, ""))
            if key in self.found and all(key):
                self.client.delete_run(run.info.run_id)
            elif all(key):
                self.found[key] = run
        self._known = {key: str(run.info.run_id) for key, run in self.found.items()}

    def _find_experiment(self, name: str, uri: str) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        try:
            return str(self.client.create_experiment(name, artifact_location=self._artefacts(uri)))
        except MlflowException:
            # Another driver was faster, or this one's first request was answered too late.
            found = self.client.get_experiment_by_name(name)
            if found is None:
                raise
            return str(found.experiment_id)

    def _artefacts(self, uri: str) -> str | None:
        """A server knows where its artefacts go; a bare database would put them into the working
        directory, whichever that is."""
        if not uri.startswith(SQLITE):
            return None
        folder = self._store.root if self._store else Path(uri.removeprefix(SQLITE)).parent
        return (folder / ARTEFACTS).absolute().as_uri()

    def run(
        self,
        kind: str,
        identity: str,
        name: str,
        parent: str | None = None,
        tags: Mapping[str, str] = MappingProxyType({}),
        started: int | None = None,
    ) -> str:
        """Id of the run of this kind and fingerprint, made if there is none.

        Args:
            kind: study, model, result, aggregate, sweep or trial.
            identity: Fingerprint.
            name: That it is shown by.
            parent: Id of the run that it is shown under.
            tags: Beside those of every run.
            started: Milliseconds since 1970; None for now.
        """
        key = (kind, identity)
        if key not in self._known:
            all_tags = dict(self._tags) | dict(tags) | {MLFLOW_RUN_NAME: name}
            all_tags |= {KIND: kind, FINGERPRINT: identity}
            if parent:
                all_tags[MLFLOW_PARENT_RUN_ID] = parent
            run = self.client.create_run(self.experiment, started, tags=all_tags)
            self._known[key] = run.info.run_id
        elif parent and key in self.found and self._is_orphan(self.found[key]):
            self.client.set_tag(self._known[key], MLFLOW_PARENT_RUN_ID, parent)
        return self._known[key]

    def _is_orphan(self, run: Run) -> bool:
        return run.data.tags.get(MLFLOW_PARENT_RUN_ID) not in self._known.values()

    def write(
        self, run: str, metrics: list[Metric], params: Mapping[str, str], tags: Mapping[str, str]
    ) -> None:
        """Log everything of a run at once; equal rows are written once.

        A parameter that the run has keeps its value: equal fingerprints mean equal settings, but
        for where things are.
        """
        had = next((one.data.params for one in self.found.values() if one.info.run_id == run), {})
        new = [Param(name, value) for name, value in params.items() if name not in had]
        self.client.log_batch(run, tags=[RunTag(name, value) for name, value in tags.items()])
        for start in range(0, len(new), PARAMS_PER_CALL):
            self.client.log_batch(run, params=new[start : start + PARAMS_PER_CALL])
        for start in range(0, len(metrics), METRICS_PER_CALL):
            self.client.log_batch(run, metrics=metrics[start : start + METRICS_PER_CALL])

    def history(self, run: str, names: Iterable[str]) -> set[tuple[str, int, float]]:
        """Name, step and value of all measurements of these names that the run has had since
        before this object was made.
        """
        had = next((one.data.metrics for one in self.found.values() if one.info.run_id == run), {})
        return {
            (name, int(one.step), float(one.value))
            for name in names
            if name in had
            for one in self.client.get_metric_history(run, name)
        }


def _age(run: Run) -> tuple[int, str]:
    return int(run.info.start_time or 0), str(run.info.run_id)


def all_runs(client: MlflowClient, experiment: str, which: str = "") -> Iterator[Any]:
    """Every run of an experiment (its id) that the filter ``which`` lets through."""
    token = None
    while True:
        page = client.search_runs([experiment], which, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def logged_step(run: str, uri: str) -> str | None:
    """Fingerprint of the step whose result the run with this id shows; None if there is no such."""
    if uri.startswith(SQLITE) and not Path(uri.removeprefix(SQLITE)).is_file():
        return None  # asking MLflow would make the database
    quiet_mlflow()
    try:
        tags = MlflowClient(tracking_uri=uri).get_run(run).data.tags
    except MlflowException:
        return None
    return str(tags[STEP]) if STEP in tags else None

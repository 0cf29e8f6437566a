"""Runs of one MLflow experiment, found by fingerprint: made once, however often they are logged."""

import logging
import os
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from orchestrator.store import StepStore

ARTEFACTS = "mlflow-artefacts"
"""Folder of the store for the artefacts of a local tracking database."""

METRICS_PER_CALL = 1000
"""MLflow's own limit for one batch."""


def quiet_mlflow() -> None:
    """Keep migrations off the terminal, and a server that is away from holding up a study."""
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.WARNING)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")


class MlflowRuns:
    """The runs of one experiment by kind and fingerprint.

    Args:
        experiment: Its name; made if there is none.
        store: Where the artefacts of a bare database go.
        uri: Of the tracking server or database.
        tags: Of every run.
    """

    def __init__(
        self, experiment: str, store: StepStore, uri: str, tags: Mapping[str, str]
    ) -> None:
        quiet_mlflow()
        self.client = MlflowClient(tracking_uri=uri)
        self._store, self._tags = store, tags
        self._experiment = self._find_experiment(experiment, uri)
        self._known: dict[tuple[str, str], str] = {
            (run.data.tags["xlwarm.kind"], run.data.tags["xlwarm.fingerprint"]): run.info.run_id
            for run in self._all_runs()
            if "xlwarm.fingerprint" in run.data.tags
        }

    def _find_experiment(self, name: str, uri: str) -> str:
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        # A server knows where its artefacts go; a bare database would put them into the working
        # directory, whichever that is.
        bare = uri.startswith("sqlite:")
        place = (self._store.root / ARTEFACTS).absolute().as_uri() if bare else None
        return str(self.client.create_experiment(name, artifact_location=place))

    def _all_runs(self) -> Iterator[Any]:
        token = None
        while True:
            page = self.client.search_runs([self._experiment], page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def run(
        self,
        kind: str,
        identity: str,
        name: str,
        parent: str | None = None,
        tags: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """Id of the run of this kind and fingerprint, made if there is none."""
        key = (kind, identity)
        if key not in self._known:
            all_tags = dict(self._tags) | dict(tags) | {MLFLOW_RUN_NAME: name}
            all_tags |= {"xlwarm.kind": kind, "xlwarm.fingerprint": identity}
            if parent:
                all_tags[MLFLOW_PARENT_RUN_ID] = parent
            run = self.client.create_run(self._experiment, tags=all_tags)
            self._known[key] = run.info.run_id
        return self._known[key]

    def write(
        self, run: str, metrics: list[Metric], params: Mapping[str, str], tags: Mapping[str, str]
    ) -> None:
        """Log everything of a run at once; equal rows are written once."""
        self.client.log_batch(
            run,
            params=[Param(name, value) for name, value in params.items()],
            tags=[RunTag(name, value) for name, value in tags.items()],
        )
        for start in range(0, len(metrics), METRICS_PER_CALL):
            self.client.log_batch(run, metrics=metrics[start : start + METRICS_PER_CALL])

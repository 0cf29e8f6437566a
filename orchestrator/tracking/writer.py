"""Brings MLflow up to what runs are to show; what it shows already is not sent again."""

import json
from collections.abc import Iterable

from mlflow.data.dataset_source_registry import get_dataset_source_from_json
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import DatasetInput, InputTag, Metric
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_RUN_NOTE

from orchestrator.mlflow_runs import MlflowRuns
from orchestrator.tracking.content import RUNNING, DatasetUse, Point, RunContent
from orchestrator.tracking.curves import LIVE

LOGGED = "xlwarm.logged"
"""Tag with the digest of what a run shows; set last, so that half a run is logged again."""


class RunWriter:
    """Writes runs into an experiment; repeating it changes nothing.

    Args:
        runs: Of the experiment.
    """

    def __init__(self, runs: MlflowRuns) -> None:
        self.runs = runs
        self._shown: dict[str, set[tuple[str, int, float]]] = {}
        self._logged = {
            run.info.run_id: run.data.tags.get(LOGGED, "") for run in runs.found.values()
        }

    def write(self, content: RunContent) -> str:
        """Make the run of ``content``, or bring it up to it; returns its id.

        What it belongs to must have been written before.
        """
        parent = self.runs.run(*content.parent, name="") if content.parent else None
        run = self.runs.run(
            *content.key, content.name, parent, content.tags, started=content.started
        )
        if self._logged.get(run) != content.digest:
            self._fill(run, content)
            self._end(run, content)
            self.runs.client.set_tag(run, LOGGED, content.digest)
            self._logged[run] = content.digest
        return run

    def add(self, run: str, points: Iterable[Point]) -> None:
        """Log those of ``points``, all of names in ``LIVE``, that the run with this id lacks."""
        self.runs.write(run, self._new(run, points), {}, {})

    def _new(self, run: str, points: Iterable[Point]) -> list[Metric]:
        """Of live points, those that the run does not show yet, whenever they were made."""
        if run not in self._shown:
            self._shown[run] = self.runs.history(run, LIVE)
        shown, new = self._shown[run], []
        for one in points:
            key = (one.name, one.step, one.value)
            if key not in shown:
                new.append(Metric(one.name, one.value, one.when, one.step))
            if one.name in LIVE:
                shown.add(key)
        return new

    def _fill(self, run: str, content: RunContent) -> None:
        client = self.runs.client
        note = {MLFLOW_RUN_NOTE: content.note} if content.note else {}
        points = self._new(run, content.points)
        self.runs.write(run, points, content.params, dict(content.tags) | note)
        if content.datasets:
            client.log_inputs(run, list(_inputs(content.datasets)))
        for artefact in content.artefacts:
            client.log_artifact(run, str(artefact.path), artefact.folder)
        for name, text in content.texts.items():
            client.log_text(run, text, name)

    def _end(self, run: str, content: RunContent) -> None:
        if content.status == RUNNING:
            self.runs.client.update_run(run, status=RUNNING)
        else:
            self.runs.client.set_terminated(run, content.status, content.ended)


def _inputs(datasets: Iterable[DatasetUse]) -> Iterable[DatasetInput]:
    for used in datasets:
        source = get_dataset_source_from_json(json.dumps({"uri": used.source}), "local")
        dataset = MetaDataset(source, name=used.name, digest=used.digest)  # type: ignore[abstract]
        yield DatasetInput(
            dataset._to_mlflow_entity(), [InputTag(MLFLOW_DATASET_CONTEXT, used.context)]
        )

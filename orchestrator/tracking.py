"""MLflow: a view of the step store, by fingerprint, that can be made again at any time (DESIGN §7).

Everything is logged from the driver. A run that exists already is updated, never added again.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any

from mlflow.entities import Metric
from pydantic import BaseModel

from orchestrator.execute import Failure
from orchestrator.fingerprints import Json, fingerprint
from orchestrator.mlflow_runs import MlflowRuns
from orchestrator.plan import Plan, RunSpec
from orchestrator.results import (
    RunResult,
    cells,
    results,
    spec_results,
    training_curve,
    warmup_rounds,
)
from orchestrator.steps.base import Step
from orchestrator.steps.evaluate import PREDICTIONS
from orchestrator.steps.project import AUDIT, AUDIT_PAGE, COUNTS
from orchestrator.store import StepStore
from orchestrator.study import Study


class Tracker:
    """Writes the finished parts of a plan into one MLflow experiment, named like the study.

    Args:
        plan: What to log.
        store: Where its results are.
        uri: Of the tracking server or database.
    """

    def __init__(self, plan: Plan, store: StepStore, uri: str) -> None:
        study = plan.study
        self._plan = plan
        self._store = store
        self._runs = MlflowRuns(study.name, store, uri, common_tags(study))
        self._client = self._runs.client
        self._parent = self._runs.run("study", plan.fingerprint, study.name)

    def log_spec(self, spec: RunSpec) -> None:
        """Log a finished model, and those of its evaluations that are done."""
        store = self._store
        if not store.is_done(spec.model):
            return
        tags = {"xlwarm.strategy": spec.strategy, "xlwarm.seed": str(spec.seed)}
        run = self._runs.run("model", spec.fingerprint, spec.name, self._parent, tags)
        record = store.record(spec.model)
        metrics = list(self._model_metrics(spec, record))
        self._runs.write(run, metrics, self._params(spec), {"xlwarm.step": spec.model.fingerprint})
        for result in spec_results(spec, store, record["outputs"]["dev_f1"]):
            self._log_result(spec, result, run, tags)
        if all(store.is_done(evaluation) for evaluation in spec.evaluations):
            self._client.set_terminated(run, "FINISHED")

    def _model_metrics(self, spec: RunSpec, record: Mapping[str, Any]) -> Iterator[Metric]:
        # The time of the step, not of logging: logging again then writes equal rows, not new ones.
        when = _milliseconds(record)
        outputs = record["outputs"]
        yield Metric("dev_f1", outputs["dev_f1"], when, outputs["best_step"])
        yield Metric("train_seconds", record["seconds"], when, 0)
        for point in training_curve(spec, self._store):
            yield Metric("train_loss", point["loss"], when, point["step"])
            if point["dev_f1"] is not None:
                yield Metric("dev_f1_by_step", point["dev_f1"], when, point["step"])
        if spec.model.warmup:
            for z, report in enumerate(warmup_rounds(spec.model.warmup, self._store), start=1):
                for language, loss in report["losses"].items():
                    yield Metric(f"warmup_loss.{language}", loss, when, z)
                for pair, cosine in report["cosines"].items():
                    yield Metric(f"warmup_cosine.{pair.replace('/', '-')}", cosine, when, z)
                yield Metric("warmup_rounding_loss", report["rounding_loss"], when, z)

    def _params(self, spec: RunSpec) -> dict[str, str]:
        study = self._plan.study
        chosen: dict[str, Any] = {
            "strategy": spec.strategy,
            "seed": spec.seed,
            "targets": ",".join(spec.targets),
            "trained_on": ",".join(spec.model.languages),
        }
        if spec.model.warmup:
            seen = self._store.outputs(spec.model.warmup)["sentences_seen"]
            chosen["warmup"] = study.warmup
            chosen["warmup_sentences"] = seen
        return dict(flat_names(settings_of(study) | chosen))

    def _log_result(
        self, spec: RunSpec, result: RunResult, parent: str, tags: Mapping[str, str]
    ) -> None:
        identity = fingerprint([spec.fingerprint, result.language])
        tags = dict(tags) | {"xlwarm.language": result.language}
        run = self._runs.run("result", identity, f"{spec.name}-{result.language}", parent, tags)
        evaluation = next(e for e in spec.evaluations if e.language == result.language)
        when = _milliseconds(self._store.record(evaluation))
        scores = {
            "test_f1": result.f1,
            "test_precision": result.precision,
            "test_recall": result.recall,
            "dev_f1": result.dev_f1,
        } | {f"test_f1.{label}": score["f1"] for label, score in result.labels.items()}
        metrics = [Metric(name, value, when, 0) for name, value in scores.items()]
        params = self._params(spec) | {"language": result.language}
        self._runs.write(run, metrics, params, {"xlwarm.step": result.fingerprint})
        predictions = self._store.folder(evaluation) / PREDICTIONS
        self._client.log_artifact(run, str(predictions))
        self._client.set_terminated(run, "FINISHED")

    def finish(self, status: str, texts: Mapping[str, str]) -> None:
        """Log all there is once more, the means over seeds and ``texts``; close the parent run."""
        for spec in self._plan.specs:
            self.log_spec(spec)
        found = results(self._plan, self._store)
        for (strategy, column), cell in cells(found, self._plan.study.targets).items():
            for name, value in (
                ("test_f1_mean", cell.mean),
                ("test_f1_std", cell.std),
                ("n_seeds", cell.seeds),
            ):
                self._client.log_metric(self._parent, f"{name}.{strategy}.{column}", value)
        for name, text in texts.items():
            self._client.log_text(self._parent, text, name)
        for projection in self._plan.specs[0].model.encoding.projections:
            for name in (COUNTS, AUDIT, AUDIT_PAGE):
                path = self._store.folder(projection) / name
                if path.exists():
                    folder = f"projection/{projection.language}"
                    self._client.log_artifact(self._parent, str(path), folder)
        self._client.set_terminated(self._parent, status)


def common_tags(study: Study) -> dict[str, str]:
    """Of every run of ``study``."""
    return {"xlwarm.task": study.task.name, "xlwarm.backbone": study.backbone.name}


def settings_of(study: Study) -> dict[str, Any]:
    """Settings that all models of ``study`` share, by the blocks of the study file."""
    return {
        "source": study.source,
        "threads": study.threads,
        "task": study.task.name,
        "backbone": study.backbone,
        "training": study.training,
        "data": {
            "aligner": study.data.aligner,
            "alignment": study.data.alignment,
            "mapping": study.data.mapping,
        },
    }


def _milliseconds(record: Mapping[str, Any]) -> int:
    started = datetime.fromisoformat(record["started"]).timestamp()
    return int(1000 * (started + record["seconds"]))


def flat_names(settings: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as dotted names and text.

    >>> dict(flat_names({"training": {"steps": 800}, "seed": 1}))
    {'training.steps': '800', 'seed': '1'}
    """
    if isinstance(settings, BaseModel):
        settings = settings.model_dump(mode="json")
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            yield from flat_names(value, f"{prefix}.{key}" if prefix else key)
    else:
        yield prefix, str(settings)


class BackgroundTracking:
    """Logs to MLflow beside a running study, in one thread; a server that is away costs nothing.

    After the first failure it waits for :meth:`close`, which tries everything once more.
    """

    def __init__(self, plan: Plan, store: StepStore, uri: str) -> None:
        self.problem: str | None = None
        self._plan = plan
        self._make = partial(Tracker, plan, store, uri)
        self._tracker: Tracker | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mlflow")

    def started(self, step: Step) -> None:
        """Nothing to log yet."""

    def finished(self, step: Step) -> None:
        """Log the models that the step belongs to."""
        for spec in self._plan.specs:
            if step in (spec.model, *spec.evaluations):
                self._thread.submit(self._try, partial(self._log_spec, spec))

    def lost(self, step: Step, failure: Failure) -> None:
        """Nothing to log; the step starts again."""

    def failed(self, step: Step, failure: Failure) -> None:
        """The parent run's status says so in the end."""

    def tick(self, states: Mapping[str, Mapping[str, Json]]) -> None:
        """Nothing to log."""

    def close(self, status: str, texts: Mapping[str, str]) -> None:
        """Wait for what is being logged, log what is missing, close the parent run."""
        self._thread.submit(self._reset)
        self._thread.submit(self._try, lambda: self._ready().finish(status, texts))
        self._thread.shutdown(wait=True)

    def _reset(self) -> None:
        if self.problem:
            self._tracker, self.problem = None, None

    def _log_spec(self, spec: RunSpec) -> None:
        self._ready().log_spec(spec)

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

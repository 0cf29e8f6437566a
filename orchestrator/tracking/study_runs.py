"""What MLflow is to show of a study: one run for the whole, under it one for each trained model and
one for each mean over seeds, under a model one for each language (DESIGN §7)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from orchestrator.fingerprints import fingerprint
from orchestrator.plan import Plan, RunSpec
from orchestrator.predictions import GoldSet
from orchestrator.results import (
    RunResult,
    cells,
    results,
    spec_results,
    training_curve,
    warmup_rounds,
)
from orchestrator.steps.evaluate import PREDICTIONS, EvaluateStep
from orchestrator.steps.project import AUDIT, AUDIT_PAGE, COUNTS
from orchestrator.store import StepStore
from orchestrator.tracking.content import (
    FINISHED,
    RUNNING,
    Artefact,
    Point,
    RunContent,
    RunKey,
)
from orchestrator.tracking.curves import DEV_CURVE, TRAIN_LOSS
from orchestrator.tracking.lineage import model_datasets, test_dataset
from orchestrator.tracking.mistakes import mistake_tables
from orchestrator.tracking.names import flat_names, in_metric, model_note, settings_of, study_note


@dataclass(frozen=True)
class StudyRuns:
    """The runs of a study, as far as its store has them.

    Args:
        plan: Of the study.
        store: Where its results are.
    """

    plan: Plan
    store: StepStore
    _gold: dict[str, GoldSet] = field(default_factory=dict, repr=False, compare=False)
    """Test sets by language, as far as they were needed."""

    @property
    def parent(self) -> RunKey:
        """Of the run of the whole study."""
        return "study", self.plan.fingerprint

    def all(self, status: str, texts: Mapping[str, str]) -> Iterator[RunContent]:
        """Every run, those before that others belong to.

        Args:
            status: How the study ended.
            texts: Tables and the like, by file name.
        """
        yield self.whole(status, texts)
        for spec in self.plan.specs:
            for run in self.of_spec(spec):
                yield run if run.status == FINISHED else replace(run, status=status)
        yield from self.aggregates()

    def whole(self, status: str, texts: Mapping[str, str] | None = None) -> RunContent:
        """The run of the study: means over seeds, tables, what projection did."""
        study = self.plan.study
        started, ended = self._span()
        means = (
            Point(f"{name}.{in_metric(strategy)}.{column}", value, when)
            for strategy, column, values, when in self._means()
            for name, value in values.items()
        )
        chosen = {
            "strategies": ",".join(study.strategies),
            "seeds": ",".join(str(seed) for seed in study.seeds),
            "targets": ",".join(study.targets),
        }
        return RunContent(
            kind="study",
            fingerprint=self.plan.fingerprint,
            name=study.name,
            status=status,
            started=started,
            ended=None if status == RUNNING else ended,
            params=dict(flat_names(settings_of(study) | chosen)),
            points=tuple(means),
            tags=study.chosen.tags() if study.chosen else {},
            artefacts=tuple(self._projections()),
            texts=texts or {},
            note=study_note(self.plan, texts or {}),
        )

    def _span(self) -> tuple[int, int]:
        """When the first step began and the last one ended; now if none did."""
        records = [self.store.record(s) for s in self.plan.steps if self.store.has_result(s)]
        now = _milliseconds(datetime.now(UTC).isoformat())
        begun = [_milliseconds(record["started"]) for record in records]
        return min(begun, default=now), max((ended(record) for record in records), default=now)

    def _projections(self) -> Iterator[Artefact]:
        for projection in self.plan.specs[0].model.encoding.projections:
            if self.store.is_done(projection):
                for name in (COUNTS, AUDIT, AUDIT_PAGE):
                    path = self.store.folder(projection) / name
                    if path.exists():
                        yield Artefact(path, f"projection/{projection.language}")

    def of_spec(self, spec: RunSpec) -> Iterator[RunContent]:
        """A finished model, and those of its tests that are done; nothing before that."""
        store = self.store
        if not store.has_result(spec.model):
            return
        record = store.record(spec.model)
        tested = [store.record(one) for one in spec.evaluations if store.has_result(one)]
        complete = len(tested) == len(spec.evaluations)
        model = replace(
            self.training(spec, _milliseconds(record["started"])),
            status=FINISHED if complete else RUNNING,
            ended=max(ended(one) for one in [record, *tested]) if complete else None,
            points=tuple(self._curves(spec, record)),
        )
        yield model
        for result in spec_results(spec, store, record["outputs"]["dev_f1"]):
            yield self._result(spec, result, model)

    def undone(self) -> Iterator[RunSpec]:
        """Models that are not done."""
        return (spec for spec in self.plan.specs if not self.store.has_result(spec.model))

    def training(self, spec: RunSpec, started: int) -> RunContent:
        """A model that trains, without its curves.

        Args:
            spec: Whose training has begun, so that all that it needs is done.
            started: When it did, in milliseconds since 1970.
        """
        tags = {"xlwarm.strategy": spec.strategy, "xlwarm.seed": str(spec.seed)}
        return RunContent(
            kind="model",
            fingerprint=spec.fingerprint,
            name=spec.name,
            parent=self.parent,
            status=RUNNING,
            started=started,
            tags=tags | {"xlwarm.step": spec.model.fingerprint},
            params=self._params(spec),
            datasets=tuple(model_datasets(spec, self.store)),
            note=model_note(spec),
        )

    def _curves(self, spec: RunSpec, record: Mapping[str, Any]) -> Iterator[Point]:
        when, outputs = ended(record), record["outputs"]
        yield Point("dev_f1", outputs["dev_f1"], when, outputs.get("best_step", 0))
        yield Point("train_seconds", record["seconds"], when)
        for point in training_curve(spec, self.store):
            yield Point(TRAIN_LOSS, point["loss"], when, point["step"])
            if point["dev_f1"] is not None:
                yield Point(DEV_CURVE, point["dev_f1"], when, point["step"])
        if spec.model.warmup:
            for z, report in enumerate(warmup_rounds(spec.model.warmup, self.store), start=1):
                for language, loss in report["losses"].items():
                    yield Point(f"warmup_loss.{language}", loss, when, z)
                for pair, cosine in report["cosines"].items():
                    yield Point(f"warmup_cosine.{pair.replace('/', '-')}", cosine, when, z)
                yield Point("warmup_rounding_loss", report["rounding_loss"], when, z)

    def _params(self, spec: RunSpec) -> dict[str, str]:
        study = self.plan.study
        chosen: dict[str, Any] = {
            "strategy": spec.strategy,
            "seed": spec.seed,
            "targets": ",".join(spec.targets),
            "trained_on": ",".join(spec.model.languages),
        }
        if spec.model.warmup:
            seen = self.store.outputs(spec.model.warmup)["sentences_seen"]
            chosen["warmup"] = study.warmup
            chosen["warmup_sentences"] = seen
        return dict(flat_names(settings_of(study) | chosen))

    def _result(self, spec: RunSpec, result: RunResult, model: RunContent) -> RunContent:
        evaluation = next(e for e in spec.evaluations if e.language == result.language)
        record = self.store.record(evaluation)
        scores = {
            "test_f1": result.f1,
            "test_precision": result.precision,
            "test_recall": result.recall,
            "dev_f1": result.dev_f1,
        } | {f"test_f1.{label}": score["f1"] for label, score in result.labels.items()}
        own = {"xlwarm.language": result.language, "xlwarm.step": result.fingerprint}
        return RunContent(
            kind="result",
            fingerprint=spec.result_fingerprint(result.language),
            name=f"{spec.name}-{result.language}",
            parent=model.key,
            status=FINISHED,
            started=_milliseconds(record["started"]),
            ended=ended(record),
            tags=dict(model.tags) | own,
            params=dict(model.params) | {"language": result.language},
            points=tuple(Point(name, value, ended(record)) for name, value in scores.items()),
            datasets=(test_dataset(evaluation),),
            artefacts=tuple(self._predictions(evaluation)),
            texts=mistake_tables(evaluation, self.store, self._gold),
        )

    def _predictions(self, evaluation: EvaluateStep) -> Iterator[Artefact]:
        if self.store.is_done(evaluation):  # what was imported has no text
            yield Artefact(self.store.folder(evaluation) / PREDICTIONS)

    def aggregates(self) -> Iterator[RunContent]:
        """Mean and deviation over seeds, a run for each strategy and language, and the average."""
        study = self.plan.study
        for strategy, language, values, when in self._means():
            chosen = {"strategy": strategy, "language": language}
            yield RunContent(
                kind="aggregate",
                fingerprint=fingerprint([*self.parent, strategy, language]),
                name=f"{strategy}-{language}-mean",
                parent=self.parent,
                status=FINISHED,
                started=when,
                ended=when,
                tags={"xlwarm.strategy": strategy, "xlwarm.language": language},
                params=dict(flat_names(settings_of(study) | chosen)),
                points=tuple(Point(name, value, when) for name, value in values.items()),
            )

    def _means(self) -> Iterator[tuple[str, str, dict[str, float], int]]:
        """Strategy, language, numbers and time of every cell of the table."""
        found = results(self.plan, self.store)
        whens = self._test_times(found)
        for (strategy, column), cell in cells(found, self.plan.study.targets).items():
            values = {"test_f1_mean": cell.mean, "test_f1_std": cell.std, "n_seeds": cell.seeds}
            yield strategy, column, values, whens[strategy]

    def _test_times(self, found: Sequence[RunResult]) -> dict[str, int]:
        """When the last test of every strategy ended."""
        times: dict[str, int] = {}
        for spec in self.plan.specs:
            tests = [one for one in spec.evaluations if self.store.has_result(one)]
            whens = [ended(self.store.record(one)) for one in tests]
            times[spec.strategy] = max([times.get(spec.strategy, 0), *whens])
        return times


def ended(record: Mapping[str, Any]) -> int:
    """When a step ended, in milliseconds since 1970."""
    return _milliseconds(record["started"]) + int(1000 * record["seconds"])


def _milliseconds(moment: str) -> int:
    return int(1000 * datetime.fromisoformat(moment).timestamp())

"""MLflow as a view of the store: complete, nested, and never doubled."""

import json
from collections import Counter
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from experiments.tables import logged_tables
from orchestrator.execute import run_steps
from orchestrator.local import InProcessLauncher
from orchestrator.logged import logged_results
from orchestrator.plan import Plan, make_plan
from orchestrator.results import results
from orchestrator.steps.project import AUDIT, AUDIT_PAGE, COUNTS
from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from orchestrator.tracking import BackgroundTracking, Tracker
from tests.studies import write_study

STRATEGIES = ["zero-shot", "target-only", "mtl-ws"]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Plan:
    folder = tmp_path_factory.mktemp("study")
    study = write_study(folder, tiny_bert, strategies=STRATEGIES, targets=["es", "de"])
    return make_plan(read_study(study))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> StepStore:
    return StepStore(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def uri(plan: Plan, store: StepStore) -> str:
    """A tracking database that watched the study while it ran."""
    uri = f"sqlite:///{store.root / 'mlflow.db'}"
    tracking = BackgroundTracking(plan, store, uri)
    run_steps(plan.steps, store, InProcessLauncher(store.root), [tracking])
    tracking.close("FINISHED", logged_tables(plan, store))
    assert tracking.problem is None
    return uri


def _runs(uri: str) -> list[Run]:
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def _by_kind(runs: list[Run]) -> dict[str, list[Run]]:
    kinds: dict[str, list[Run]] = {}
    for run in runs:
        kinds.setdefault(run.data.tags["xlwarm.kind"], []).append(run)
    return kinds


def test_every_strategy_language_and_seed_has_exactly_one_result_run(uri: str) -> None:
    tags = [run.data.tags for run in _by_kind(_runs(uri))["result"]]
    cells = Counter(
        (one["xlwarm.strategy"], one["xlwarm.language"], one["xlwarm.seed"]) for one in tags
    )
    assert set(cells) == {(s, language, "1") for s in STRATEGIES for language in ("es", "de")}
    assert set(cells.values()) == {1}


def test_runs_nest_as_study_model_result_and_are_all_finished(uri: str) -> None:
    kinds = _by_kind(_runs(uri))
    (study,) = kinds["study"]
    models = {run.info.run_id: run for run in kinds["model"]}
    assert len(models) == 4  # zero-shot and mtl-ws once for all, target-only for each of two
    assert {m.data.tags["mlflow.parentRunId"] for m in models.values()} == {study.info.run_id}
    assert all(run.data.tags["mlflow.parentRunId"] in models for run in kinds["result"])
    assert {run.info.status for runs in kinds.values() for run in runs} == {"FINISHED"}


def test_logged_scores_are_those_of_the_store(plan: Plan, store: StepStore, uri: str) -> None:
    logged = {
        (run.data.tags["xlwarm.strategy"], run.data.tags["xlwarm.language"]): run.data.metrics
        for run in _by_kind(_runs(uri))["result"]
    }
    for result in results(plan, store):
        metrics = logged[result.strategy, result.language]
        assert metrics["test_f1"] == result.f1
        assert metrics["test_precision"] == result.precision
        assert metrics["dev_f1"] == result.dev_f1
        assert {name for name in metrics if name.startswith("test_f1.")} == {
            f"test_f1.{label}" for label in result.labels
        }


def test_artefacts_lie_in_the_store_and_not_in_the_working_directory(
    store: StepStore, uri: str
) -> None:
    (study,) = _by_kind(_runs(uri))["study"]
    assert study.info.artifact_uri.startswith(store.root.as_uri())
    names = {path.name for path in store.root.glob("mlflow-artefacts/**/*") if path.is_file()}
    assert {"report.txt", "report.md", "predictions.conll"} <= names


def test_the_audit_of_every_language_is_an_artefact_of_the_study(
    plan: Plan, store: StepStore, uri: str
) -> None:
    (study,) = _by_kind(_runs(uri))["study"]
    client = MlflowClient(tracking_uri=uri)
    for projection in plan.specs[0].model.encoding.projections:
        folder = f"projection/{projection.language}"
        paths = [one.path for one in client.list_artifacts(study.info.run_id, folder)]
        assert paths == [f"{folder}/{name}" for name in (AUDIT_PAGE, AUDIT, COUNTS)]
        audit = json.loads((store.folder(projection) / AUDIT).read_text())
        counts = json.loads((store.folder(projection) / COUNTS).read_text())
        assert audit["spans"]["kept_by_label"] == counts["kept"]


def test_a_model_run_has_its_settings_and_its_curves(uri: str) -> None:
    client = MlflowClient(tracking_uri=uri)
    (warm,) = (
        run for run in _by_kind(_runs(uri))["model"] if run.data.tags["xlwarm.strategy"] == "mtl-ws"
    )
    assert warm.data.params["training.steps"] == "6"
    assert warm.data.params["warmup.inner_lr"] == "0.001"
    assert warm.data.params["warmup_sentences.es"] == "24"
    curve = client.get_metric_history(warm.info.run_id, "dev_f1_by_step")
    assert sorted(point.step for point in curve) == [2, 4, 6]
    rounds = client.get_metric_history(warm.info.run_id, "warmup_loss.es")
    assert sorted(point.step for point in rounds) == [1, 2, 3]


def test_syncing_again_adds_no_run_and_no_point(plan: Plan, store: StepStore, uri: str) -> None:
    def points() -> int:
        client = MlflowClient(tracking_uri=uri)
        return sum(
            len(client.get_metric_history(run.info.run_id, name))
            for run in _by_kind(_runs(uri))["model"]
            for name in run.data.metrics
        )

    before = {run.info.run_id for run in _runs(uri)}, points()
    Tracker(plan, store, uri).finish("FINISHED", {})
    assert ({run.info.run_id for run in _runs(uri)}, points()) == before


def test_logged_results_are_the_fingerprints_of_the_finished_result_runs(
    plan: Plan, uri: str
) -> None:
    assert logged_results(uri, "tiny") == {
        spec.result_fingerprint(target) for spec in plan.specs for target in spec.targets
    }
    assert logged_results(uri, "another study") == frozenset()


def test_a_tracking_server_that_is_away_costs_no_result(plan: Plan, store: StepStore) -> None:
    tracking = BackgroundTracking(plan, store, "http://127.0.0.1:9")
    for step in plan.steps:
        tracking.finished(step)
    tracking.close("FINISHED", {})
    assert tracking.problem is not None
    assert len(results(plan, store)) == 6

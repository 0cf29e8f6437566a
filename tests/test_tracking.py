"""MLflow as a view of the store: complete, nested, and never doubled."""

import json
import shutil
import socket
import subprocess
import zipfile
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from experiments.tables import logged_tables
from orchestrator.logged import logged_results
from orchestrator.plan import Plan
from orchestrator.results import cells, results
from orchestrator.steps.project import AUDIT, AUDIT_PAGE, COUNTS
from orchestrator.store import StepStore
from orchestrator.tracking import BackgroundTracking, Tracker
from orchestrator.tracking.bundle import log_bundle, write_bundle
from projection.errors import InputError
from tests.tracked import STRATEGIES, TARGETS, Tracked


@pytest.fixture(scope="module")
def plan(tracked: Tracked) -> Plan:
    return tracked.plan


@pytest.fixture(scope="module")
def store(tracked: Tracked) -> StepStore:
    return tracked.store


@pytest.fixture(scope="module")
def uri(tracked: Tracked) -> str:
    """A tracking database that watched the study while it ran."""
    return tracked.uri


def _renamed(plan: Plan, name: str) -> Plan:
    """The same study as an experiment of another name."""
    return Plan(plan.study.model_copy(update={"name": name}), plan.specs, plan.steps)


def _points(uri: str, name: str = "tiny") -> int:
    """Measurements of all runs, but for those of the machine."""
    client = MlflowClient(tracking_uri=uri)
    return sum(
        len(client.get_metric_history(run.info.run_id, metric))
        for run in _runs(uri, name)
        for metric in run.data.metrics
        if not metric.startswith("system/")
    )


def _seen(uri: str, name: str) -> dict[tuple[str, str], tuple[object, ...]]:
    """Everything to be seen of every run, by kind and name."""
    client = MlflowClient(tracking_uri=uri)
    return {
        (run.data.tags["xlwarm.kind"], run.info.run_name): (
            run.info.status,
            run.info.start_time,
            run.info.end_time,
            run.data.params,
            run.data.metrics,
            sorted(one.dataset.digest for one in run.inputs.dataset_inputs),
            [one.path for one in client.list_artifacts(run.info.run_id)],
        )
        for run in _runs(uri, name)
    }


def _runs(uri: str, name: str = "tiny") -> list[Run]:
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(name)
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
    assert set(cells) == {(s, language, "1") for s in STRATEGIES for language in TARGETS}
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
    assert {"errors.csv", "confusion.csv"} <= names


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
    before = {run.info.run_id for run in _runs(uri)}, _points(uri)
    Tracker(plan, store, uri).finish("FINISHED", {})
    Tracker(plan, store, uri).finish("FINISHED", logged_tables(plan, store))
    assert ({run.info.run_id for run in _runs(uri)}, _points(uri)) == before


def test_what_is_logged_already_is_not_sent_again(
    plan: Plan, store: StepStore, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = logged_tables(plan, store)
    Tracker(plan, store, uri).finish("FINISHED", texts)
    before = {run.info.run_id for run in _runs(uri)}, _points(uri)
    for name in ("log_batch", "log_artifact", "log_inputs", "create_run", "set_terminated"):
        monkeypatch.delattr(MlflowClient, name)
    Tracker(plan, store, uri).finish("FINISHED", texts)
    assert ({run.info.run_id for run in _runs(uri)}, _points(uri)) == before


def test_means_over_seeds_are_runs_of_their_own(plan: Plan, store: StepStore, uri: str) -> None:
    means = {
        (run.data.tags["xlwarm.strategy"], run.data.tags["xlwarm.language"]): run.data.metrics
        for run in _by_kind(_runs(uri))["aggregate"]
    }
    table = cells(results(plan, store), plan.study.targets)
    assert set(means) == set(table)
    for key, cell in table.items():
        assert means[key] == {"test_f1_mean": cell.mean, "test_f1_std": cell.std, "n_seeds": 1}


def test_a_model_names_the_corpora_that_it_was_made_of_and_a_result_its_test(uri: str) -> None:
    kinds = _by_kind(_runs(uri))

    def datasets(run: Run) -> set[tuple[str, str]]:
        used = run.inputs.dataset_inputs
        return {(tag.value, one.dataset.name) for one in used for tag in one.tags}

    by_name = {run.info.run_name: datasets(run) for run in kinds["model"] + kinds["result"]}
    assert by_name["zero-shot-seed1"] == {("training", "en-train"), ("validation", "en-dev")}
    assert by_name["target-only-de-seed1"] == {
        ("training", "de-projected"),
        ("validation", "en-dev"),
    }
    assert by_name["mtl-ws-seed1"] == {
        ("training", "en-train"),
        ("validation", "en-dev"),
        ("warm-up", "de-projected"),
        ("warm-up", "es-projected"),
    }
    assert by_name["mtl-ws-seed1-es"] == {("test", "es-test")}


def test_runs_last_as_long_as_the_steps_that_they_show(
    plan: Plan, store: StepStore, uri: str
) -> None:
    models = {run.info.run_name: run.info for run in _by_kind(_runs(uri))["model"]}
    for spec in plan.specs:
        record = store.record(spec.model)
        started = datetime.fromisoformat(record["started"]).timestamp()
        assert models[spec.name].start_time == int(1000 * started)
        assert models[spec.name].end_time >= models[spec.name].start_time


def test_the_study_is_described_by_its_tables_and_measured_while_it_ran(uri: str) -> None:
    (study,) = _by_kind(_runs(uri))["study"]
    assert "| mtl-ws" in study.data.tags["mlflow.note.content"]
    assert study.data.params["strategies"] == "zero-shot,target-only,mtl-ws"


def test_a_study_that_failed_leaves_no_run_running(
    plan: Plan, store: StepStore, uri: str, tmp_path: Path
) -> None:
    partial = StepStore(tmp_path)
    lost = plan.specs[0].evaluations[0]
    for step in plan.steps:
        if step != lost:
            shutil.copytree(store.folder(step), tmp_path / step.kind / step.fingerprint)
    failing = _renamed(plan, "failing")
    tracking = BackgroundTracking(failing, partial, uri)
    for step in plan.steps:
        if partial.is_done(step):
            tracking.finished(step)
    tracking.close("FAILED", {})
    assert tracking.problem is None
    found = Counter(
        (run.data.tags["xlwarm.kind"], run.info.status) for run in _runs(uri, "failing")
    )
    assert found == {
        ("study", "FAILED"): 1,
        ("model", "FAILED"): 1,
        ("model", "FINISHED"): 3,
        ("result", "FINISHED"): 5,
        ("aggregate", "FINISHED"): 7,
    }


def test_what_a_driver_that_died_left_running_is_closed_by_the_next(
    plan: Plan, store: StepStore, uri: str
) -> None:
    died = _renamed(plan, "died")
    other = Plan(died.study, plan.specs[:1], plan.steps)
    run = Tracker(other, store, uri).start()
    client = MlflowClient(tracking_uri=uri)
    Tracker(died, store, uri).start()
    assert client.get_run(run).info.status == "RUNNING"  # this very process: it lives
    client.set_tag(run, "xlwarm.driver", f"{socket.gethostname()} {_ended_process()}")
    Tracker(died, store, uri).start()
    assert client.get_run(run).info.status == "KILLED"


def _ended_process() -> int:
    ended = subprocess.Popen(["true"])
    ended.wait()
    return ended.pid


def test_runs_that_are_there_twice_become_one(plan: Plan, store: StepStore, uri: str) -> None:
    twice = _renamed(plan, "twice")
    Tracker(twice, store, uri).finish("FINISHED", {})
    runs = {run.info.run_id: run for run in _runs(uri, "twice")}
    client = MlflowClient(tracking_uri=uri)
    for run in list(runs.values())[:5]:
        late = run.info.start_time + 1
        client.create_run(run.info.experiment_id, late, tags=dict(run.data.tags))
    assert len(_runs(uri, "twice")) == len(runs) + 5
    Tracker(twice, store, uri).finish("FINISHED", {})
    assert {run.info.run_id for run in _runs(uri, "twice")} == set(runs)


def test_a_bundle_carries_a_study_to_another_database_as_it_is(
    plan: Plan, store: StepStore, uri: str, tmp_path: Path
) -> None:
    bundled, texts = _renamed(plan, "bundled"), logged_tables(plan, store)
    bundle = tmp_path / "study.zip"
    assert (
        write_bundle(bundled, store, "FINISHED", texts, bundle) == 20
    )  # 1 study, 4 models, 6 results, 9 means
    assert log_bundle(bundle, uri) == 20
    here, there = _seen(uri, "bundled"), _seen(uri, "tiny")
    assert {k: v for k, v in here.items() if k[0] != "study"} == {
        k: v for k, v in there.items() if k[0] != "study"
    }
    assert _points(uri, "bundled") == _points(uri)
    runs = {run.info.run_id for run in _runs(uri, "bundled")}
    log_bundle(bundle, uri)
    Tracker(bundled, store, uri).finish("FINISHED", texts)
    assert {run.info.run_id for run in _runs(uri, "bundled")} == runs


def test_a_file_that_is_no_whole_bundle_is_refused(tmp_path: Path, uri: str) -> None:
    path = tmp_path / "half.zip"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("bundle.json", '{"version": 1, "experiment": "x", "tags": {}}')
    with pytest.raises(InputError, match=r"half\.zip: is no whole bundle"):
        log_bundle(path, uri)


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

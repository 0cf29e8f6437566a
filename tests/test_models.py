"""``xlwarm export`` and ``xlwarm predict``: a model of a store, by any of its names."""

import json
from collections.abc import Callable
from pathlib import Path

import click
import mlflow
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient

from experiments import run as run_module
from experiments.models import export, predict
from experiments.sync import sync
from orchestrator.execute import run_steps
from orchestrator.export import is_exported
from orchestrator.local import InProcessLauncher
from orchestrator.plan import Plan, make_plan
from orchestrator.steps.evaluate import PREDICTIONS
from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from orchestrator.tracking import Tracker
from orchestrator.tracking.registry import tracking_at
from orchestrator.trained import find_model
from projection.errors import InputError
from tests.studies import write_study

NO_TRACKING = "sqlite:////no/such/mlflow.db"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, tiny_xlmr: Path) -> Path:
    folder = tmp_path_factory.mktemp("models")
    return write_study(folder, tiny_xlmr, strategies=["mtl-ws"], targets=["es", "de"])


@pytest.fixture(scope="module")
def plan(study: Path) -> Plan:
    return make_plan(read_study(study))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, plan: Plan) -> StepStore:
    store = StepStore(tmp_path_factory.mktemp("models-store"))
    outcome = run_steps(plan.steps, store, InProcessLauncher(store.root), [])
    assert not outcome.failed
    return store


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, study: Path, store: StepStore) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "model"
    shown = call(export, "mtl-ws-seed1", "--to", folder, "--study", study, "--store", store.root)
    assert shown.output.startswith("mtl-ws-seed1 -> ")
    return folder


def call(command: object, *arguments: object, text: str | None = None) -> Result:
    arguments = tuple(str(one) for one in arguments)
    return CliRunner().invoke(command, arguments, input=text, catch_exceptions=False)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def uri(
    tmp_path_factory: pytest.TempPathFactory,
    new_tracking: Callable[[Path], str],
    plan: Plan,
    store: StepStore,
) -> str:
    """A tracking database that has the study."""
    uri = new_tracking(tmp_path_factory.mktemp("tracking"))
    Tracker(plan, store, uri).finish("FINISHED", {})
    return uri


def test_a_model_is_found_by_name_fingerprint_and_mlflow_run(
    plan: Plan, store: StepStore, uri: str
) -> None:
    (spec,) = plan.specs
    runs = {key: run.info.run_id for key, run in Tracker(plan, store, uri).runs.found.items()}
    fingerprint = spec.model.fingerprint
    assert find_model("mtl-ws-seed1", store, plan, uri).fingerprint == fingerprint
    for run in (
        fingerprint[:8],
        spec.evaluations[1].fingerprint,
        runs["model", spec.fingerprint],
        next(run for (kind, _), run in runs.items() if kind == "result"),
    ):
        assert find_model(run, store, None, uri).fingerprint == fingerprint
        assert find_model(run, store, plan, uri).name == "mtl-ws-seed1"


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("mtl-ws-sed1", "unknown run 'mtl-ws-sed1'; did you mean 'mtl-ws-seed1'?"),
        ("000000", "000000 begins no fingerprint of a model in the store"),
        ("0" * 32, "begins no fingerprint"),
    ],
)
def test_a_run_that_is_not_there_is_refused(
    run: str, message: str, plan: Plan, store: StepStore, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as refused:
        find_model(run, store, plan, f"sqlite:///{tmp_path / 'none.db'}")
    assert message in str(refused.value)


def test_a_name_without_its_study_and_a_model_that_is_not_trained_are_refused(
    plan: Plan, store: StepStore, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="name the study with --study"):
        find_model("mtl-ws-seed1", store, None, NO_TRACKING)
    with pytest.raises(InputError, match="mtl-ws-seed1 is not trained yet"):
        find_model("mtl-ws-seed1", StepStore(tmp_path), plan, NO_TRACKING)


def test_predict_writes_what_the_study_predicted(
    study: Path, plan: Plan, store: StepStore, exported: Path
) -> None:
    (spec,) = plan.specs
    for evaluation in spec.evaluations:
        gold = study.parent / f"{evaluation.language}.test.conll"
        predicted = (store.folder(evaluation) / PREDICTIONS).read_text()
        assert call(predict, exported, gold).stdout == predicted
        run = (spec.model.fingerprint[:10], gold, "--store", store.root, "--device", "cpu")
        assert call(predict, *run).stdout == predicted


def test_predict_reads_text_and_writes_json_with_the_places_of_spans(exported: Path) -> None:
    text = "Anna visited Oslo.\n\nTomás, Lima!\n"
    shown = call(predict, exported, "--to", "jsonl", text=text)
    rows = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [row["text"] for row in rows] == text.splitlines()
    assert [row["tokens"] for row in rows] == [
        ["Anna", "visited", "Oslo", "."],
        [],
        ["Tomás", ",", "Lima", "!"],
    ]
    for row in rows:
        for span in row["spans"]:
            assert row["text"][span["start"] : span["end"]] == span["text"]


def test_coloured_output_is_the_text_with_labels_and_nothing_lost(exported: Path) -> None:
    shown = call(predict, exported, "--to", "colour", text="Anna  visited Oslo .\n")
    expected = "Anna  visited Oslo ."
    rows = call(predict, exported, "--to", "jsonl", text=expected).stdout
    spans = json.loads(rows)["spans"]
    for span in reversed(spans):
        expected = f"{expected[: span['end']]}[{span['label']}]{expected[span['end'] :]}"
    assert click.unstyle(shown.stdout) == expected + "\n"


def test_the_card_says_data_strategy_scores_and_licences(
    plan: Plan, store: StepStore, exported: Path
) -> None:
    card = (exported / "README.md").read_text()
    (spec,) = plan.specs
    for evaluation in spec.evaluations:
        f1 = store.outputs(evaluation)["micro"]["f1"]
        assert f"| {evaluation.language} test | {f1:.2f} |" in card
    assert "strategy `mtl-ws`" in card
    assert "after a multilingual warm-up on de es" in card
    assert "en.train.conll" in card
    assert "xlwarm does not know its licence" in card
    assert str(Path(spec.model.encoding.backbone).parent) not in card


def test_export_replaces_an_earlier_export_and_nothing_else(
    study: Path, store: StepStore, exported: Path, tmp_path: Path
) -> None:
    run = ("mtl-ws-seed1", "--study", study, "--store", store.root, "--to")
    (exported / "old.txt").touch()
    call(export, *run, exported)
    assert is_exported(exported)
    assert not (exported / "old.txt").exists()
    (tmp_path / "mine.txt").touch()
    with pytest.raises(InputError, match="holds something else"):
        call(export, *run, tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        call(export, *run, tmp_path / "no" / "model")
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]


def test_a_folder_that_is_no_export_is_refused(tiny_bert: Path) -> None:
    with pytest.raises(InputError, match="is no model that `xlwarm export` wrote"):
        call(predict, tiny_bert, text="Anna")
    with pytest.raises(InputError, match="no-such: no such folder"):
        call(predict, "no-such", text="Anna")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["sync", "run", "export"])
def test_three_commands_register_a_model_and_none_does_it_twice(
    way: str, study: Path, store: StepStore, uri: str, tmp_path: Path
) -> None:
    where = ("--store", store.root, "--tracking", uri, "--register")
    shown = {
        "sync": lambda: call(sync, study, *where),
        "run": lambda: call(run_module.run, study, *where),
        "export": lambda: call(
            export, "mtl-ws-seed1", "--study", study, "--to", tmp_path / "to", *where
        ),
    }[way]()
    assert "registered tiny-mtl-ws: best = v1, seed-1 = v1\n" in shown.stdout
    client = MlflowClient(tracking_uri=uri)
    assert len(client.search_model_versions("name = 'tiny-mtl-ws'")) == 1
    if way != "export":
        (about,) = client.search_runs([plan_experiment(client)], "tags.`xlwarm.kind` = 'study'")
        assert "report.html" in [one.path for one in client.list_artifacts(about.info.run_id)]


def plan_experiment(client: MlflowClient) -> str:
    found = client.get_experiment_by_name("tiny")
    assert found is not None
    return str(found.experiment_id)


def test_export_registers_only_what_a_study_names_and_mlflow_shows(
    study: Path,
    plan: Plan,
    store: StepStore,
    tmp_path: Path,
    new_tracking: Callable[[Path], str],
) -> None:
    (spec,) = plan.specs
    where = ("--to", tmp_path / "to", "--store", store.root, "--register")
    with pytest.raises(InputError, match="--register needs --study"):
        call(export, spec.model.fingerprint[:8], *where)
    empty = new_tracking(tmp_path)
    with pytest.raises(InputError, match="has no run of mtl-ws-seed1 to register it with"):
        call(export, spec.name, "--study", study, "--tracking", empty, *where)


def test_a_registry_that_is_away_costs_a_run_nothing(
    plan: Plan, store: StepStore, capsys: pytest.CaptureFixture[str]
) -> None:
    run_module.register_models(plan, store, "http://127.0.0.1:9")
    assert "`xlwarm sync --register` with the same study" in capsys.readouterr().err


@pytest.mark.slow
def test_a_registered_model_is_found_by_alias_tags_as_xlwarm_does_and_is_there_once(
    study: Path, plan: Plan, store: StepStore, uri: str, exported: Path
) -> None:
    call(sync, study, "--store", store.root, "--tracking", uri, "--register")
    client = MlflowClient(tracking_uri=uri)
    (version,) = client.search_model_versions("name = 'tiny-mtl-ws'")
    (spec,) = plan.specs
    assert version.tags["xlwarm.step"] == spec.model.fingerprint
    assert version.run_id == Tracker(plan, store, uri).runs.run("model", spec.fingerprint, "")
    assert client.get_run(version.run_id).info.status == "FINISHED"
    text = "Anna visited Oslo, Tomás and Marieke"
    with tracking_at(uri):
        model = mlflow.pyfunc.load_model("models:/tiny-mtl-ws@best")
        assert model.metadata.signature.inputs.input_names() == ["text"]
        (spans,) = model.predict(pd.DataFrame({"text": [text]}))
    row = json.loads(call(predict, exported, "--to", "jsonl", text=text).stdout)
    places = [(span["start"], span["end"], span["label"]) for span in row["spans"]]
    assert [(one["start"], one["end"], one["entity_group"]) for one in spans] == places

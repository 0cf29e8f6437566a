"""Means of models: whose weights they are, what they cost, and that they can be taken away."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from mlflow import MlflowClient
from safetensors.numpy import save_file
from safetensors.torch import load_file

from experiments.models import export
from experiments.report import report
from orchestrator.plan import Plan, make_plan
from orchestrator.results import results
from orchestrator.steps.warmup import WEIGHTS
from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from orchestrator.tracking import Tracker
from projection.errors import InputError
from tests.trained import Trained, train
from trainers.checkpoints import mean_arrays
from trainers.strategies import strategy

MEAN = "zero-shot~multilingual"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Trained:
    names = ["zero-shot", "multilingual", MEAN]
    folder = tmp_path_factory.mktemp("averages")
    return train(folder, tiny_bert, strategies=names, targets=["es", "de"])


@pytest.fixture
def study(trained: Trained) -> Path:
    return trained.file


@pytest.fixture
def plan(trained: Trained) -> Plan:
    return trained.plan


@pytest.fixture
def store(trained: Trained) -> StepStore:
    return trained.store


def test_a_mean_has_seen_what_its_models_have_and_serves_all_languages() -> None:
    mean = strategy("target-only~mtl-ws")
    assert mean.averages == ("target-only", "mtl-ws")
    assert mean.training_languages("en", ("de", "es")) == ("en", "de", "es")
    assert mean.once_for_all
    assert mean.warm_start
    assert strategy("zero-shot~mtl-ws").training_languages("en", ("de",)) == ("en",)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("zero-shot~zero-shot", "twice"),
        ("zero-shot~multilingal", "did you mean multilingual?"),
        ("zero-shot~", "unknown strategy ''"),
    ],
)
def test_a_mean_of_what_is_no_strategy_or_twice_the_same_is_refused(
    name: str, problem: str
) -> None:
    with pytest.raises(InputError) as refusal:
        strategy(name)
    assert problem in str(refusal.value)


def test_a_mean_trains_nothing_that_its_strategies_do_not_train(study: Path, plan: Plan) -> None:
    kinds = Counter(step.kind for step in plan.steps)
    assert (kinds["finetune"], kinds["average"], kinds["evaluate"]) == (2, 1, 6)
    alone = make_plan(read_study(study, [f"strategies=[{MEAN}]"]))
    assert Counter(step.kind for step in alone.steps)["finetune"] == 2
    without = make_plan(read_study(study, ["strategies=[zero-shot, multilingual]"]))
    assert {step.fingerprint for step in without.steps} < {step.fingerprint for step in plan.steps}


def test_target_only_gives_a_mean_one_model_for_each_target(study: Path) -> None:
    found = make_plan(read_study(study, ["strategies=[zero-shot~target-only]"]))
    (average,) = (step for step in found.steps if step.kind == "average")
    assert [step.title() for step in average.needs if step.kind == "finetune"] == [
        "train on en seed 1",
        "train on es seed 1",
        "train on de seed 1",
    ]


def test_the_weights_are_the_mean_of_the_models_weights(plan: Plan, store: StepStore) -> None:
    cold, multilingual, mean = (
        load_file(store.folder(spec.model) / WEIGHTS) for spec in plan.specs
    )
    assert set(mean) == set(cold) == set(multilingual)
    for name, found in mean.items():
        torch.testing.assert_close(found, torch.lerp(cold[name], multilingual[name], 0.5))
    assert any((mean[name] != cold[name]).any() for name in mean)


def test_a_mean_is_scored_reported_and_exported_as_any_model(
    study: Path, store: StepStore, tmp_path: Path
) -> None:
    place = ["--store", str(store.root)]
    shown = CliRunner().invoke(report, [str(study), *place, "--format", "markdown"])
    assert shown.exit_code == 0, shown.output
    assert "6 of 6 results are done" in shown.output
    assert f"| {MEAN} " in shown.output
    folder = tmp_path / "model"
    out = CliRunner().invoke(
        export, [f"{MEAN}-seed1", "--study", str(study), "--to", str(folder), *place]
    )
    assert out.exit_code == 0, out.output
    card = (folder / "README.md").read_text()
    assert "the mean of the weights of 2 models, together trained on" in card


def test_mlflow_takes_the_means_of_a_study_whatever_its_strategies_are_called(
    plan: Plan, store: StepStore, tmp_path: Path, new_tracking: Callable[[Path], str]
) -> None:
    uri = new_tracking(tmp_path)
    Tracker(plan, store, uri).finish("FINISHED", {})
    client = MlflowClient(uri)
    experiments = [one.experiment_id for one in client.search_experiments()]
    (whole,) = client.search_runs(experiments, "tags.`xlwarm.kind` = 'study'")
    assert whole.info.status == "FINISHED"
    f1s = [result.f1 for result in results(plan, store) if result.strategy == MEAN]
    found = whole.data.metrics["test_f1_mean.zero-shot_multilingual.avg"]
    assert found == pytest.approx(sum(f1s) / len(f1s))


def test_a_mean_cannot_be_swept(study: Path) -> None:
    block = (
        f"sweep={{strategy: {MEAN}, parameters: {{training.learning_rate: {{grid: [0.1, 0.2]}}}}}}"
    )
    with pytest.raises(InputError, match=r"trains none of its own.*zero-shot, multilingual"):
        read_study(study, [block])


def test_arrays_of_other_names_or_shapes_have_no_mean(tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in "abc")
    save_file({"w": np.array([1.0, 2.0], np.float32)}, first)
    save_file({"w": np.array([2.0, 5.0], np.float32)}, second)
    np.testing.assert_array_equal(mean_arrays([first, second])["w"], [1.5, 3.5])
    save_file({"v": np.array([2.0, 5.0], np.float32)}, third)
    with pytest.raises(ValueError, match="differ in their arrays"):
        mean_arrays([first, third])
    save_file({"w": np.array([2.0], np.float32)}, third)
    with pytest.raises(ValueError, match="have the shapes"):
        mean_arrays([first, third])

"""Every study file that xlwarm ships runs from its first file to its last score, in small."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from safetensors.torch import load_file

from orchestrator.execute import run_steps
from orchestrator.local import InProcessLauncher
from orchestrator.plan import Plan, make_plan
from orchestrator.results import results
from orchestrator.steps.finetune import FinetuneStep
from orchestrator.steps.warmup import WEIGHTS
from orchestrator.store import StepStore
from orchestrator.sweep.records import TrialState
from tests.shipped import SMALL, STUDIES, tiny
from tests.sweeps import execute_sweep

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data and store of all studies: what they share is computed once."""
    return tmp_path_factory.mktemp("shipped")


@pytest.fixture(scope="module")
def checkpoints(tiny_bert: Path, tiny_xlmr: Path) -> Mapping[str, Path]:
    return {"bert-base-multilingual": tiny_bert, "xlm-roberta": tiny_xlmr, "e5": tiny_xlmr}


def run(plan: Plan, root: Path) -> StepStore:
    store = StepStore(root / "store")
    outcome = run_steps(plan.steps, store, InProcessLauncher(store.root), [])
    assert [failure.message for _, failure in outcome.failed.values()] == []
    return store


@pytest.mark.parametrize("name", [name for name in STUDIES if "/sweep-" not in name])
def test_a_study_file_runs_to_the_scores_of_all_its_cells(
    name: str, root: Path, checkpoints: Mapping[str, Path]
) -> None:
    study = tiny(STUDIES[name], root, checkpoints)
    plan = make_plan(study)
    found = results(plan, run(plan, root))
    cells = {(how, language) for how in study.strategies for language in study.targets}
    assert {(one.strategy, one.language) for one in found} == cells
    assert len(found) == len(cells)


@pytest.mark.parametrize("name", [name for name in STUDIES if "/sweep-" in name])
def test_a_sweep_file_runs_to_the_scores_of_its_trials(
    name: str, root: Path, checkpoints: Mapping[str, Path]
) -> None:
    study = tiny(STUDIES[name], root, checkpoints)
    store = StepStore(root / "store")
    _, records, _ = execute_sweep(study, store, InProcessLauncher(store.root))
    assert [one.state for one in records.trials()] == [TrialState.FINISHED] * 2


def test_a_warm_start_before_another_adaptation_shares_the_warm_up_and_starts_where_it_ended(
    root: Path, checkpoints: Mapping[str, Path]
) -> None:
    """With a rate that moves nothing, a trained model is what it started from."""
    base = make_plan(tiny(SMALL / "ner.yaml", root, checkpoints))
    [warmup] = [one.model.warmup for one in base.specs if one.model.warmup]
    study = tiny(SMALL / "warm-start-ner.yaml", root, checkpoints)
    still = study.training.model_copy(update={"learning_rate": 1e-30})
    plan = make_plan(study.model_copy(update={"training": still}))
    models = {step for step in plan.steps if isinstance(step, FinetuneStep)}
    assert {step.warmup for step in models} == {warmup}
    store = run(plan, root)
    warm = load_file(store.folder(warmup) / WEIGHTS)
    for step in models:
        trained = load_file(store.folder(step) / WEIGHTS)
        assert trained.keys() == warm.keys()
        assert all(trained[key].allclose(warm[key], atol=1e-20) for key in warm)

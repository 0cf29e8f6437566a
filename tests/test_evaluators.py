"""Models under test: mapped and not copied, kept for the next test, and no different for it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from orchestrator.execute import run_steps
from orchestrator.local import InProcessLauncher, in_process_pool
from orchestrator.plan import Plan, make_plan
from orchestrator.steps.base import Surroundings
from orchestrator.steps.evaluators import trained_tagger
from orchestrator.steps.warmup import WEIGHTS
from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from tests.studies import write_study
from trainers.checkpoints import load_weights, map_weights
from trainers.evaluation import predict_tags


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory, tiny_xlmr: Path) -> Plan:
    study = write_study(tmp_path_factory.mktemp("study"), tiny_xlmr, seeds=[1, 2])
    return make_plan(read_study(study, ["strategies=[zero-shot]", "targets=[es, de, nl]"]))


@pytest.fixture(scope="module")
def around(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Surroundings:
    root = tmp_path_factory.mktemp("store")
    assert not run_steps(plan.steps, StepStore(root), InProcessLauncher(root), []).failed
    return Surroundings(store=StepStore(root), device=torch.device("cpu"), pool=in_process_pool)


def test_mapped_weights_are_the_copied_ones_and_predict_the_same(
    plan: Plan, around: Surroundings
) -> None:
    model = plan.specs[0].model
    weights = around.store.folder(model) / WEIGHTS
    copied, mapped = model.built(around), model.built(around)
    load_weights(copied, weights)
    map_weights(mapped, weights)
    for ours, theirs in zip(mapped.parameters(), copied.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    corpus = model.encoding.corpus(around.store, "test", "es")
    for one, other in zip(predict_tags(mapped, corpus), predict_tags(copied, corpus), strict=True):
        assert one.tolist() == other.tolist()


def test_weights_of_another_model_are_refused_and_nothing_is_changed(
    plan: Plan, around: Surroundings
) -> None:
    model = plan.specs[0].model
    tagger = model.built(around)
    tagger.extra = torch.nn.Linear(2, 2)
    before = tagger.output.weight.clone()
    with pytest.raises(ValueError, match=r"differ in parameters \['extra.bias', 'extra.weight'\]"):
        map_weights(tagger, around.store.folder(model) / WEIGHTS)
    assert torch.equal(tagger.output.weight, before)


def test_a_model_is_at_hand_for_its_next_test_until_another_model_is_tested(
    plan: Plan, around: Surroundings
) -> None:
    first, second = (spec.model for spec in plan.specs)
    tagger = trained_tagger(first, around)
    assert trained_tagger(replace(first), around) is tagger
    assert trained_tagger(second, around) is not tagger
    assert trained_tagger(first, around) is not tagger

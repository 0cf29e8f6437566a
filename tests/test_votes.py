"""Votes of models: what they say, what they cost, and what cannot be had of them."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from experiments.report import report
from orchestrator.allotment import MARGIN, measured
from orchestrator.local import in_process_pool
from orchestrator.plan import Plan, make_plan
from orchestrator.results import results
from orchestrator.steps.base import Surroundings
from orchestrator.steps.evaluators import trained_tagger
from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from orchestrator.tracking.registry import register_study
from orchestrator.trained import find_model
from projection.errors import InputError
from projection.scoring import score_spans
from tests.trained import Trained, train
from trainers.collation import collate
from trainers.committee import Committee
from trainers.strategies import strategy
from trainers.tagger import Tagger

VOTE = "zero-shot^multilingual"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Trained:
    names = ["zero-shot", "multilingual", VOTE]
    folder = tmp_path_factory.mktemp("votes")
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


@pytest.fixture
def around(store: StepStore) -> Surroundings:
    return Surroundings(store=store, device=torch.device("cpu"), pool=in_process_pool)


@pytest.fixture
def members(plan: Plan, around: Surroundings) -> list[Tagger]:
    found = [trained_tagger(spec.model, around) for spec in plan.specs[:2]]
    assert all(isinstance(one, Tagger) for one in found)
    return [one.eval() for one in found if isinstance(one, Tagger)]


def test_a_vote_has_seen_what_its_models_have_and_means_may_vote() -> None:
    vote = strategy("target-only^zero-shot~mtl-ws")
    assert vote.votes == vote.members == ("target-only", "zero-shot~mtl-ws")
    assert vote.training_languages("en", ("de", "es")) == ("en", "de", "es")
    assert vote.warm_start
    assert vote.once_for_all
    for name, problem in (("zero-shot^zero-shot", "twice"), ("zero-shot^multi", "did you mean")):
        with pytest.raises(InputError, match=problem):
            strategy(name)


def test_a_vote_trains_nothing_that_its_strategies_do_not_train(study: Path, plan: Plan) -> None:
    kinds = Counter(step.kind for step in plan.steps)
    assert (kinds["finetune"], kinds["vote"], kinds["evaluate"]) == (2, 1, 6)
    without = make_plan(read_study(study, ["strategies=[zero-shot, multilingual]"]))
    assert {step.fingerprint for step in without.steps} < {step.fingerprint for step in plan.steps}


def test_scores_are_the_logarithm_of_the_mean_probability(
    plan: Plan, store: StepStore, members: list[Tagger]
) -> None:
    encoding = plan.specs[0].model.encoding
    corpus = encoding.corpus(store, "test", "es")
    batch = collate(corpus, np.arange(4), members[0].padding, torch.device("cpu"))
    with torch.inference_mode():
        found = Committee(members)(batch)
        each = np.stack([one(batch).double().numpy() for one in members])
    probabilities = np.exp(each) / np.exp(each).sum(axis=2, keepdims=True)
    np.testing.assert_allclose(np.exp(found.numpy()), probabilities.mean(axis=0), atol=1e-6)
    assert not np.allclose(probabilities[0], probabilities[1], atol=1e-3)


def test_models_of_other_tags_cannot_vote(members: list[Tagger]) -> None:
    other = Tagger(members[0].encoder, members[0].num_tags + 1, 0.0)
    with pytest.raises(ValueError, match="the same tags"):
        Committee([members[0], other])


def test_its_test_is_scored_on_what_the_models_say_together(
    plan: Plan, store: StepStore, members: list[Tagger]
) -> None:
    """By hand: sentence by sentence, both models, the highest mean probability."""
    (spec,) = (one for one in plan.specs if one.strategy == VOTE)
    for evaluation in spec.evaluations:
        encoding = spec.model.encoding
        corpus = encoding.corpus(store, "test", evaluation.language)
        predicted = []
        for k, words in enumerate(np.diff(corpus.tag_ends, prepend=0)):
            batch = collate(corpus, np.array([k]), members[0].padding, torch.device("cpu"))
            with torch.inference_mode():
                mean = sum(one(batch).softmax(dim=1) for one in members)
            ids = mean.argmax(dim=1).tolist()
            predicted.append(encoding.tags.decode(ids + [0] * (int(words) - len(ids))))
        gold = [sentence.spans for sentence in evaluation.test.read(store).sentences]
        expected = score_spans(gold, predicted).micro
        micro = store.outputs(evaluation)["micro"]
        assert (micro["correct"], micro["predicted"]) == (expected.correct, expected.predicted)


def test_it_is_reported_as_any_strategy(study: Path, plan: Plan, store: StepStore) -> None:
    assert len([one for one in results(plan, store) if one.strategy == VOTE]) == 2
    place = ["--store", str(store.root)]
    shown = CliRunner().invoke(report, [str(study), *place, "--format", "markdown"])
    assert shown.exit_code == 0, shown.output
    assert "6 of 6 results are done" in shown.output
    assert f"| {VOTE} " in shown.output


def test_it_takes_the_memory_of_all_its_models(plan: Plan, store: StepStore) -> None:
    one, _, vote = (spec.evaluations[0] for spec in plan.specs)
    assert one.model.probe is not None
    probed = store.outputs(one.model.probe)["evaluate"]
    assert measured(one, store).process == pytest.approx(MARGIN * probed)
    for step in (vote, vote.model):
        assert measured(step, store).process == pytest.approx(2 * MARGIN * probed)


def test_no_single_model_can_be_taken_away_and_its_models_are_named(
    plan: Plan, store: StepStore
) -> None:
    models = [spec.model.fingerprint[:12] for spec in plan.specs]
    for name in (f"{VOTE}-seed1", models[2]):
        with pytest.raises(InputError, match="has no weights of its own") as refusal:
            find_model(name, store, plan, "")
        assert all(one in str(refusal.value) for one in models[:2])


def test_it_is_not_registered(
    plan: Plan, store: StepStore, tmp_path: Path, new_tracking: Callable[[Path], str]
) -> None:
    votes = [spec for spec in plan.specs if spec.strategy == VOTE]
    assert list(register_study(plan, store, new_tracking(tmp_path), votes)) == []


def test_a_vote_cannot_be_swept(study: Path) -> None:
    block = (
        f"sweep={{strategy: {VOTE}, parameters: {{training.learning_rate: {{grid: [0.1, 0.2]}}}}}}"
    )
    with pytest.raises(InputError, match="trains none of its own"):
        read_study(study, [block])

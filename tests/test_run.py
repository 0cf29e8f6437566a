"""A whole study without Ray: what it computes, what it reuses, and what a failure costs."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from seqeval.metrics import f1_score

from orchestrator.execute import Outcome, run_steps
from orchestrator.local import InProcessLauncher
from orchestrator.plan import Plan, make_plan
from orchestrator.results import results
from orchestrator.steps.evaluate import PREDICTIONS
from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from projection.columns import read_blocks
from tests.studies import write_study
from trainers.backbones import load_tokenizer


def _run(plan: Plan, root: Path) -> Outcome:
    return run_steps(plan.steps, StepStore(root), InProcessLauncher(root), [])


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory, tiny_xlmr: Path) -> Plan:
    return make_plan(read_study(write_study(tmp_path_factory.mktemp("study"), tiny_xlmr)))


@pytest.fixture(scope="module")
def done(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> StepStore:
    """The store after one undisturbed run."""
    root = tmp_path_factory.mktemp("store")
    outcome = _run(plan, root)
    assert len(outcome.computed) == len(plan.steps)
    return StepStore(root)


def test_a_run_scores_every_strategy_on_every_language(plan: Plan, done: StepStore) -> None:
    found = {(r.strategy, r.language) for r in results(plan, done)}
    assert len(found) == len(plan.study.strategies) * len(plan.study.targets) == 15


def test_a_second_run_computes_nothing(plan: Plan, done: StepStore) -> None:
    outcome = _run(plan, done.root)
    assert outcome.computed == []
    assert len(outcome.reused) == len(plan.steps)


def test_an_interrupted_run_goes_on_with_what_is_missing_and_ends_alike(
    plan: Plan, done: StepStore, tmp_path: Path
) -> None:
    half = plan.steps[: len(plan.steps) // 2]
    run_steps(half, StepStore(tmp_path), InProcessLauncher(tmp_path), [])
    outcome = _run(plan, tmp_path)
    assert len(outcome.computed) == len(plan.steps) - len(half)
    assert results(plan, StepStore(tmp_path)) == results(plan, done)


def test_weights_are_the_same_bits_in_a_second_store(
    plan: Plan, done: StepStore, tmp_path: Path
) -> None:
    _run(plan, tmp_path)
    for step in plan.steps:
        if step.kind in ("warmup", "finetune"):
            ours = load_file(done.folder(step) / "model.safetensors")
            theirs = load_file(StepStore(tmp_path).folder(step) / "model.safetensors")
            assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_scores_are_those_of_seqeval_on_the_written_predictions(
    plan: Plan, done: StepStore
) -> None:
    for spec in plan.specs:
        for evaluation in spec.evaluations:
            gold = [list(block.tags) for block in read_blocks(evaluation.test.files[0].path)]
            predicted = read_blocks(done.folder(evaluation) / PREDICTIONS)
            expected = 100 * f1_score(gold, [list(block.tags) for block in predicted])
            assert math.isclose(done.outputs(evaluation)["micro"]["f1"], expected)


def test_the_warmup_moves_the_weights_and_reports_every_round(plan: Plan, done: StepStore) -> None:
    (warmup,) = (step for step in plan.steps if step.kind == "warmup")
    rounds = (done.folder(warmup) / "rounds.jsonl").read_text().splitlines()
    assert len(rounds) == plan.study.warmup.rounds
    outputs = done.outputs(warmup)
    # Three rounds of two steps of eight sentences are two epochs of 24: every sentence was seen.
    assert outputs["sentences_seen"] == {"de": 24, "es": 24, "nl": 24}
    assert 0 < outputs["rounding_loss"] < 0.01


def test_a_loss_that_is_no_number_fails_its_step_and_leaves_the_others(
    tmp_path: Path, tiny_xlmr: Path
) -> None:
    poisoned = _poison_the_semicolon(tiny_xlmr, tmp_path / "checkpoint")
    folder = tmp_path / "study"
    folder.mkdir()
    path = write_study(folder, poisoned, strategies=["zero-shot", "target-only", "mtl-ws"])
    for file in folder.glob("*.*"):
        file.write_text(file.read_text().replace(";", ","))
    (folder / "de.train.txt").write_text("Anna ; Oslo\n" * 24)
    plan = make_plan(read_study(path))
    outcome = _run(plan, tmp_path / "store")
    failed = {step.title(): failure for step, failure in outcome.failed.values()}
    assert set(failed) == {"train on de seed 1", "warm up Z=3 K=2 seed 1"}
    assert "training step 1 (no step before it)" in failed["train on de seed 1"].message
    warmup = failed["warm up Z=3 K=2 seed 1"]
    assert "warm-up round 1, step 1, language de" in warmup.message
    assert "Traceback" in Path(warmup.log).read_text()
    scored = {(r.strategy, r.language) for r in results(plan, StepStore(tmp_path / "store"))}
    assert {strategy for strategy, _ in scored} == {"zero-shot", "target-only"}
    assert ("target-only", "de") not in scored


def _poison_the_semicolon(checkpoint: Path, copy: Path) -> Path:
    """A copy of ``checkpoint`` that turns every sentence with a semicolon into NaN."""
    copy.mkdir()
    for file in checkpoint.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    weights = load_file(copy / "model.safetensors")
    piece = load_tokenizer(copy)(";", add_special_tokens=False)["input_ids"][-1]
    weights["embeddings.word_embeddings.weight"][piece] = float("nan")
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    return copy

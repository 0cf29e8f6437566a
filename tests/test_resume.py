"""A step whose process died goes on from what it wrote down, to the bits of an undisturbed one."""

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from orchestrator.execute import run_steps
from orchestrator.local import InProcessLauncher, in_process_pool
from orchestrator.plan import make_plan
from orchestrator.steps.base import Surroundings, perform
from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from tests.studies import write_study

ROUNDS = 6


class PulledPlugError(Exception):
    """Somebody pulled the plug."""


@pytest.fixture(scope="module")
def plan(tmp_path_factory, tiny_xlmr):
    study = write_study(tmp_path_factory.mktemp("study"), tiny_xlmr)
    overrides = ["strategies=[mtl-ws]", f"warmup.rounds={ROUNDS}", "training.steps=8"]
    return make_plan(read_study(study, overrides))


@pytest.fixture(scope="module")
def done(plan, tmp_path_factory):
    """The store after an undisturbed run."""
    root = tmp_path_factory.mktemp("undisturbed")
    run_steps(plan.steps, StepStore(root), InProcessLauncher(root), [])
    return StepStore(root)


def step_of(plan, kind):
    return next(step for step in plan.steps if step.kind == kind)


def store_with(done, root, *steps):
    """A store in which only what ``steps`` need is done."""
    for step in steps:
        for needed in step.needs:
            target = root / needed.kind / needed.fingerprint
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                target.symlink_to(done.folder(needed))
    return StepStore(root)


def surroundings(store, *, report=lambda _state: None, pool=in_process_pool):
    return Surroundings(
        store=store, device=torch.device("cpu"), pool=pool, report=report, checkpoint_seconds=0
    )


def counting(asked):
    """A pool that counts the rounds it runs."""

    @contextmanager
    def pool(job, layout):
        with in_process_pool(job, layout) as rounds:
            run = rounds.run
            rounds.run = lambda: asked.append(rounds.state.rounds) or run()
            yield rounds

    return pool


def pull_the_plug_at(done):
    def report(state):
        if state["done"] == done:
            raise PulledPlugError

    return report


def assert_same(step, found, expected, *files):
    for file in files:
        ours, theirs = (load_file(store.folder(step) / file) for store in (found, expected))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert _results(found, step) == _results(expected, step)


def _results(store, step):
    """All but where the computation of a warm-up began."""
    return {key: value for key, value in store.outputs(step).items() if key != "rounds_before"}


@pytest.mark.parametrize("last", [1, 3, ROUNDS])
def test_an_interrupted_warmup_repeats_only_the_round_it_was_at(last, plan, done, tmp_path):
    step = step_of(plan, "warmup")
    store = store_with(done, tmp_path, step)
    with pytest.raises(PulledPlugError):
        perform(step, surroundings(store, report=pull_the_plug_at(last)))
    assert not store.is_done(step)
    rounds = []
    perform(step, surroundings(store, pool=counting(rounds)))
    assert rounds == list(range(last - 1, ROUNDS))
    assert_same(step, store, done, "model.safetensors", "outer_state.safetensors")
    of_both = [(one.folder(step) / "rounds.jsonl").read_text() for one in (store, done)]
    assert of_both[0] == of_both[1]
    assert not (tmp_path / "partial" / "warmup" / step.fingerprint / "scratch").exists()


def test_a_warmup_goes_on_from_the_longest_finished_one_with_fewer_rounds(plan, done, tmp_path):
    step = step_of(plan, "warmup")
    store = store_with(done, tmp_path, step)

    def with_settings(**changes):
        return replace(step, settings=step.settings.model_copy(update=changes))

    assert step.finished_prefix(store) is None
    for other in ({"rounds": 2}, {"rounds": 4}, {"rounds": 5, "inner_lr": 0.5}):
        perform(with_settings(**other), surroundings(store))
    assert step.finished_prefix(store) == with_settings(rounds=4)
    rounds = []
    perform(step, surroundings(store, pool=counting(rounds)))
    assert rounds == [4, 5]
    assert_same(step, store, done, "model.safetensors", "outer_state.safetensors")
    of_both = [(one.folder(step) / "rounds.jsonl").read_text() for one in (store, done)]
    assert of_both[0] == of_both[1]


def test_an_interrupted_fine_tuning_goes_on_to_the_same_bits(plan, done, tmp_path):
    step = step_of(plan, "finetune")
    store = store_with(done, tmp_path, step)
    with pytest.raises(PulledPlugError):
        perform(step, surroundings(store, report=pull_the_plug_at(6)))
    reported, trained = [], []
    around = surroundings(store, report=lambda state: reported.append(state["done"]))
    perform(step, replace(around, wanted=lambda: trained.append(reported[-1]) or True))
    assert trained == [6, 8]
    assert reported == [2, 4, 6, 8], "what was reported before is told again"
    assert_same(step, store, done, "model.safetensors")
    curves = [(one.folder(step) / "curve.jsonl").read_text() for one in (store, done)]
    assert curves[0] == curves[1]


def test_what_a_step_wrote_down_is_removed_when_it_is_done(plan, done, tmp_path):
    step = step_of(plan, "finetune")
    store = store_with(done, tmp_path, step)
    perform(step, surroundings(store))
    assert not [path for path in Path(tmp_path).rglob("*.safetensors") if "scratch" in path.parts]

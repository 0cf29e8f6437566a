"""Faults of a store under a whole study: the same numbers afterwards, and nothing done in vain."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from orchestrator.execute import Outcome, run_steps
from orchestrator.local import InProcessLauncher
from orchestrator.plan import Plan, make_plan
from orchestrator.results import results
from orchestrator.store import StepStore
from orchestrator.store import patience as patience_module
from orchestrator.store.files import LocalFiles
from orchestrator.study_file import read_study
from tests.studies import write_study

pytestmark = pytest.mark.usefixtures("own_places")

ONLY = ["strategies=[zero-shot, mtl-ws]", "training.steps=40", "warmup.rounds=20", "seeds=[1, 2]"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Path:
    return write_study(tmp_path_factory.mktemp("study"), tiny_bert)


@pytest.fixture(scope="module")
def plan(study: Path) -> Plan:
    return make_plan(read_study(study, ONLY))


def _run(plan: Plan, root: Path) -> Outcome:
    return run_steps(plan.steps, StepStore(root), InProcessLauncher(root), [])


@pytest.fixture(scope="module")
def undisturbed(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> StepStore:
    root = tmp_path_factory.mktemp("undisturbed")
    assert not _run(plan, root).failed
    return StepStore(root)


@pytest.fixture
def finished(undisturbed: StepStore, tmp_path: Path) -> StepStore:
    """A copy of the finished store, to be damaged."""
    return StepStore(shutil.copytree(undisturbed.root, tmp_path / "store"))


def test_a_truncated_model_is_trained_again_alone_and_the_scores_are_the_same(
    plan: Plan, undisturbed: StepStore, finished: StepStore
) -> None:
    model = plan.specs[0].model
    weights = finished.folder(model) / "model.safetensors"
    os.truncate(weights, weights.stat().st_size // 2)
    outcome = _run(plan, finished.root)
    assert outcome.computed == [model]
    assert results(plan, finished) == results(plan, undisturbed)
    ours, expected = ((s.folder(model) / weights.name) for s in (finished, undisturbed))
    assert ours.read_bytes() == expected.read_bytes()


def test_an_altered_model_is_trained_again_before_a_missing_test_reads_it(
    plan: Plan, undisturbed: StepStore, finished: StepStore
) -> None:
    spec = plan.specs[0]
    weights = finished.folder(spec.model) / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    shutil.rmtree(finished.folder(spec.evaluations[0]))
    outcome = _run(plan, finished.root)
    assert outcome.computed == [spec.model, spec.evaluations[0]]
    assert results(plan, finished) == results(plan, undisturbed)


def test_a_disk_that_is_full_now_and_then_costs_no_step(
    plan: Plan, undisturbed: StepStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, refused = LocalFiles.publish, Counter[str]()

    def sometimes_full(files: LocalFiles, work: Path, folder: str, last: str) -> None:
        refused[folder] += 1
        if refused[folder] <= 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        publish(files, work, folder, last)

    monkeypatch.setattr(patience_module, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(LocalFiles, "publish", sometimes_full)
    outcome = _run(plan, tmp_path / "store")
    assert not outcome.failed
    assert set(refused.values()) == {3}, "a step was computed, and so published, again"
    assert results(plan, StepStore(tmp_path / "store")) == results(plan, undisturbed)


DRIVER = """
import sys
from pathlib import Path
import torch
from orchestrator.claims import SharedClaims
from orchestrator.execute import run_steps
from orchestrator.local import InProcessLauncher
from orchestrator.plan import make_plan
from orchestrator.store import StepStore
from orchestrator.study_file import read_study

class Diary:
    def __getattr__(self, what):
        def note(*about):
            if what in ("started", "finished"):
                print(what, about[0].fingerprint, flush=True)
        return note

torch.set_num_threads(1)
study, root, *only = sys.argv[1:]
plan, store = make_plan(read_study(Path(study), only)), StepStore(Path(root))
with SharedClaims(store) as claims:
    outcome = run_steps(plan.steps, store, InProcessLauncher(Path(root)), [Diary()], claims=claims)
print("computed", *[step.fingerprint for step in outcome.computed], flush=True)
sys.exit(bool(outcome.failed))
"""


def _driver(study: Path, root: Path, diary: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", DRIVER, str(study), str(root), *ONLY]
    with diary.open("ab") as out:
        return subprocess.Popen(command, stdout=out)


def _started(diary: Path) -> Counter[str]:
    lines = (line.split() for line in diary.read_text().splitlines())
    return Counter(words[1] for words in lines if words[0] == "started")


@pytest.mark.slow
def test_two_drivers_of_which_one_is_killed_again_and_again_compute_every_step_once(
    study: Path, plan: Plan, undisturbed: StepStore, tmp_path: Path
) -> None:
    root, diaries = tmp_path / "store", [tmp_path / "steady", tmp_path / "killed"]
    steady = _driver(study, root, diaries[0])
    random, kills = Random(1), 0
    while steady.poll() is None and kills < 3:
        victim = _driver(study, root, diaries[1])
        time.sleep(random.uniform(4, 12))
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        kills += 1
    assert steady.wait(timeout=240) == 0
    assert _driver(study, root, diaries[1]).wait(timeout=120) == 0
    store = StepStore(root)
    assert all(store.is_whole(step) for step in plan.steps)
    assert results(plan, store) == results(plan, undisturbed)
    started = _started(diaries[0]) + _started(diaries[1])
    assert set(started) == {step.fingerprint for step in plan.steps}
    # Each kill interrupts one step at most, which then is started once more.
    assert sum(started.values()) <= len(plan.steps) + kills

"""Several drivers on one store: nothing twice, nobody waits for the dead, broken steps again."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator import execute
from orchestrator.claims import SharedClaims
from orchestrator.execute import Failure, Outcome, run_steps
from orchestrator.fingerprints import Json
from orchestrator.reuse import reusable
from orchestrator.schedule import Demand, Nodes, Resources
from orchestrator.steps.base import Step, Surroundings
from orchestrator.store import BrokenStepError, StepStore
from orchestrator.store.leases import Lease

pytestmark = pytest.mark.usefixtures("own_places")

LEASE = 1.5
"""Seconds; long enough that a busy machine is not taken for a dead driver."""


@dataclass(frozen=True, kw_only=True)
class Work(Step):
    kind: ClassVar[str] = "toy"
    name: str
    after: tuple[Step, ...] = ()

    def title(self) -> str:
        return self.name

    def run(self, folder: Path, around: Surroundings) -> dict[str, Json]:
        raise AssertionError("the launcher of these tests computes")


class Threads:
    """Computes up to two steps at once, each in a thread, and counts how often it did."""

    def __init__(self, store: StepStore, fails: Callable[[Step], bool] = lambda _step: False):
        self.computed: Counter[str] = Counter()
        self.started = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self._store, self._fails = store, fails
        self._pool = ThreadPoolExecutor(2)
        self._running: dict[str, tuple[Step, object]] = {}

    def nodes(self) -> Nodes:
        return {"here": Resources(2)}

    def demand(self, step: Step) -> Demand:
        return (Resources(1),)

    def refusal(self, step: Step) -> str | None:
        return None

    def retries(self, step: Step) -> int:
        return 3

    def submit(self, step: Step) -> None:
        self._running[step.fingerprint] = (step, self._pool.submit(self._compute, step))

    def _compute(self, step: Step) -> Failure | None:
        self.started.set()
        self.go_on.wait(timeout=60)
        try:
            for needed in step.needs:
                self._store.folder(needed)
        except BrokenStepError as error:
            return Failure(str(error), "log", lost=True, broken=error.fingerprint)
        if self._fails(step):
            return Failure("no", "log")
        self.computed[step.title()] += 1
        self._store.write(step, _fill)
        return None

    def collect(self, timeout: float) -> Sequence[tuple[Step, Failure | None]]:
        time.sleep(timeout)
        ended = [(step, task) for step, task in self._running.values() if task.done()]
        for step, _ in ended:
            del self._running[step.fingerprint]
        return [(step, task.result()) for step, task in ended]

    def states(self) -> Mapping[str, Mapping[str, Json]]:
        return {}


def _fill(folder: Path) -> dict[str, Json]:
    (folder / "artefact").write_text("a" * 50)
    return {"kind": "toy", "inputs": {}, "outputs": {}, "seconds": 0.01}


@pytest.fixture(autouse=True)
def _short_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(execute, "FIRST_PAUSE_SECONDS", 0.01)


def _drive(steps: Sequence[Step], store: StepStore, launcher: Threads) -> Outcome:
    with SharedClaims(store, LEASE) as claims:
        return run_steps(steps, store, launcher, [], claims=claims)


def _chain(*names: str) -> list[Work]:
    steps: list[Work] = []
    for name in names:
        steps.append(Work(name=name, after=tuple(steps[-1:])))
    return steps


@st.composite
def plans(draw: st.DrawFn) -> list[Work]:
    steps: list[Work] = []
    for number in range(draw(st.integers(1, 6))):
        after = draw(st.lists(st.sampled_from(steps), unique=True)) if steps else []
        steps.append(Work(name=f"s{number}", after=tuple(after)))
    return steps


@settings(
    max_examples=8,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(plans(), plans())
def test_two_drivers_on_one_store_compute_every_step_once_between_them(
    tmp_path_factory: pytest.TempPathFactory, ours: list[Work], theirs: list[Work]
) -> None:
    store = StepStore(tmp_path_factory.mktemp("store"))
    launchers = [Threads(store), Threads(store)]
    with ThreadPoolExecutor(2) as drivers:
        outcomes = list(
            drivers.map(lambda k: _drive([ours, theirs][k], store, launchers[k]), (0, 1))
        )
    assert all(not outcome.failed for outcome in outcomes)
    assert all(store.is_whole(step) for step in (*ours, *theirs))
    both = launchers[0].computed + launchers[1].computed
    # s0 of both plans is the same step; what is equal at all is computed once.
    assert len({step.fingerprint for step in (*ours, *theirs)}) == sum(both.values())


def test_a_driver_that_waits_for_another_takes_its_result_and_computes_what_it_can_meanwhile(
    tmp_path: Path,
) -> None:
    store = StepStore(tmp_path / "store")
    shared, own = Work(name="shared"), Work(name="own")
    slow, quick = Threads(store), Threads(store)
    slow.go_on.clear()
    with ThreadPoolExecutor(2) as drivers:
        first = drivers.submit(_drive, [shared], store, slow)
        assert slow.started.wait(timeout=60)
        second = drivers.submit(_drive, [shared, own], store, quick)
        while not store.is_done(own):
            time.sleep(0.01)
        assert not second.done()
        slow.go_on.set()
        outcome = second.result(timeout=60)
        first.result(timeout=60)
    assert quick.computed == {"own": 1}
    assert [step.title() for step in outcome.computed] == ["own"]
    assert [step.title() for step in outcome.reused] == ["shared"]


def test_a_step_that_fails_elsewhere_is_tried_here(tmp_path: Path) -> None:
    store = StepStore(tmp_path / "store")
    (step,) = _chain("step")
    failing, sound = Threads(store, fails=lambda _step: True), Threads(store)
    failing.go_on.clear()
    with ThreadPoolExecutor(2) as drivers:
        first = drivers.submit(_drive, [step], store, failing)
        assert failing.started.wait(timeout=60)
        second = drivers.submit(_drive, [step], store, sound)
        failing.go_on.set()
        assert first.result(timeout=60).failed
        assert [one.title() for one in second.result(timeout=60).computed] == ["step"]


LEASE_AND_SLEEP = """
import sys, time
from pathlib import Path
from orchestrator.store.files import LocalFiles
from orchestrator.store.leases import Leases
class Step:
    kind, fingerprint = sys.argv[2:]
assert Leases(LocalFiles(Path(sys.argv[1]))).try_lease(Step())
print("leased", flush=True)
time.sleep(600)
"""


def test_the_steps_of_a_driver_that_was_killed_on_this_machine_are_free_at_once(
    tmp_path: Path,
) -> None:
    store = StepStore(tmp_path / "store")
    (step,) = _chain("step")
    command = [sys.executable, "-c", LEASE_AND_SLEEP, str(store.root), step.kind, step.fingerprint]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "leased\n"
        with SharedClaims(store, seconds=3600) as claims:
            assert not claims.claim(step)
            assert not claims.is_free(step)
            os.kill(other.pid, signal.SIGKILL)
            other.wait()
            deadline = time.monotonic() + 60
            claims._next_look = 0.0
            while not claims.is_free(step) and time.monotonic() < deadline:
                claims.taken_over()
            assert claims.claim(step)


def test_a_broken_step_that_is_found_while_another_reads_it_is_computed_again_in_the_same_run(
    tmp_path: Path,
) -> None:
    store = StepStore(tmp_path / "store")
    first, second = _chain("first", "second")
    launcher = Threads(store)
    launcher.go_on.clear()
    with ThreadPoolExecutor(1) as driver:
        store.write(first, _fill)
        run = driver.submit(_drive, [first, second], store, launcher)
        assert launcher.started.wait(timeout=60)
        (store.folder(first) / "artefact").write_text("b" * 50)
        launcher.go_on.set()
        outcome = run.result(timeout=60)
    assert not outcome.failed
    assert launcher.computed == {"first": 1, "second": 1}
    assert [step.title() for step in outcome.computed] == ["first", "second"]
    assert store.is_whole(first)


def _written(store: StepStore, steps: Sequence[Step]) -> None:
    for step in steps:
        store.write(step, _fill)


def test_what_a_missing_step_will_read_is_checked_to_the_last_byte_before_it_is_reused(
    tmp_path: Path,
) -> None:
    store = StepStore(tmp_path / "store")
    steps = _chain("far", "near", "missing")
    _written(store, steps[:2])
    assert reusable(steps, store) == steps[:2]
    (store.folder(steps[0]) / "artefact").write_text("b" * 50)
    assert reusable(steps, store) == steps[1:2]


def test_what_nothing_missing_reads_is_checked_by_size_alone(tmp_path: Path) -> None:
    store = StepStore(tmp_path / "store")
    steps = _chain("near", "last")
    _written(store, steps)
    (store.folder(steps[0]) / "artefact").write_text("b" * 50)
    assert reusable(steps, store) == steps
    (store.root / steps[0].kind / steps[0].fingerprint / "artefact").write_text("a" * 49)
    assert reusable(steps, store) == steps[1:]


def test_a_renewal_that_its_own_driver_overtook_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store, (step,) = StepStore(tmp_path / "store"), _chain("a")
    renewing, given_back, beats = threading.Event(), threading.Event(), threading.Event()

    def renew(lease: Lease) -> bool:
        if beats.is_set():
            return True
        renewing.set()
        given_back.wait(timeout=60)
        beats.set()
        raise FileNotFoundError(lease.name)

    monkeypatch.setattr(Lease, "renew", renew)
    with SharedClaims(store, LEASE) as claims:
        assert claims.claim(step)
        assert renewing.wait(timeout=60)
        claims.ended(step)
        given_back.set()
        assert beats.wait(timeout=60)
    assert not caplog.records


def test_a_renewal_that_fails_while_its_step_is_computed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store, (step,) = StepStore(tmp_path / "store"), _chain("a")
    refused = threading.Event()

    def renew(lease: Lease) -> bool:
        refused.set()
        raise PermissionError(lease.name)

    monkeypatch.setattr(Lease, "renew", renew)
    with SharedClaims(store, LEASE) as claims:
        assert claims.claim(step)
        assert refused.wait(timeout=60)
    assert "could not be renewed" in caplog.text

"""Leases: one holder at a time, no clock compared, the dead make room."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.store import StepStore
from orchestrator.store import leases as leases_module
from orchestrator.store.files import LocalFiles
from orchestrator.store.leases import Lease, Leases, all_leases
from orchestrator.store.remote import RemoteFiles
from tests.generators import law
from tests.races import again_and_again


@dataclass(frozen=True)
class Step:
    kind: str = "finetune"
    fingerprint: str = "f" * 64


STEP = Step()
SECONDS = 60.0


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Driver:
    """A process somewhere; its clock shows whatever it likes."""

    store: StepStore
    clock: Clock = field(default_factory=Clock)

    @property
    def leases(self) -> Leases:
        if not hasattr(self, "_leases"):
            self._leases = Leases(self.store.files, SECONDS, self.clock)
        return self._leases

    def lease(self) -> Lease | None:
        return self.leases.try_lease(STEP)


@pytest.fixture
def driver(any_store: StepStore) -> Callable[..., Driver]:
    return lambda zero=0.0: Driver(any_store, Clock(zero))


@pytest.fixture
def on_another_machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[Driver], Lease]:
    """Lets a driver take its lease as if it ran elsewhere, so that nobody can see it die."""

    def take(driver: Driver) -> Lease:
        with monkeypatch.context() as patch:
            patch.setattr(leases_module, "this_machine", lambda: "elsewhere")
            lease = driver.lease()
        assert lease
        return lease

    return take


def test_of_two_drivers_one_has_the_lease_until_it_gives_it_back(
    driver: Callable[..., Driver],
) -> None:
    first, second = driver(), driver()
    lease = first.lease()
    assert lease
    assert second.lease() is None
    assert second.leases.is_held(STEP)
    lease.release(done=False)
    assert not second.leases.is_held(STEP)
    assert second.lease()
    assert first.lease() is None


def test_a_lease_of_a_finished_step_leaves_nothing_behind(
    driver: Callable[..., Driver], any_store: StepStore
) -> None:
    lease = driver().lease()
    assert lease
    assert len(all_leases(any_store.files)) == 1
    lease.release(done=True)
    assert all_leases(any_store.files) == {}


def test_a_silent_holder_elsewhere_loses_its_lease_after_its_time_and_not_before(
    driver: Callable[..., Driver], on_another_machine: Callable[[Driver], Lease]
) -> None:
    # The clocks of the two differ by years, which nobody may notice.
    lease, watcher = on_another_machine(driver(1e9)), driver(3.0)
    assert watcher.lease() is None
    watcher.clock.now += SECONDS - 1
    assert watcher.lease() is None
    watcher.clock.now += 1
    assert watcher.lease()
    assert lease.renew() is False


def test_a_holder_that_beats_keeps_its_lease_for_ever(
    driver: Callable[..., Driver], on_another_machine: Callable[[Driver], Lease]
) -> None:
    lease, watcher = on_another_machine(driver()), driver()
    for _ in range(10):
        watcher.clock.now += SECONDS - 1
        assert watcher.lease() is None
        assert lease.renew()


def test_a_process_of_this_machine_that_is_gone_makes_room_at_once(
    driver: Callable[..., Driver], any_store: StepStore
) -> None:
    lease = driver().lease()
    assert lease
    lease.note = lease.note.model_copy(update={"pid": 999_999_999})
    lease.renew()
    assert driver().lease()


def test_a_process_that_has_the_number_of_a_dead_one_is_not_taken_for_it(
    driver: Callable[..., Driver],
) -> None:
    lease = driver().lease()
    assert lease
    assert lease.note.pid == os.getpid()
    lease.note = lease.note.model_copy(update={"pid_started": lease.note.pid_started - 100})
    lease.renew()
    assert driver().lease()


def test_a_lease_that_is_half_written_is_watched_like_any_other(
    driver: Callable[..., Driver], any_store: StepStore
) -> None:
    lease, watcher = driver().lease(), driver()
    assert lease
    any_store.files.write(lease.name, b'{"holder": "ab')
    assert watcher.lease() is None
    watcher.clock.now += SECONDS
    assert watcher.lease()


@pytest.mark.parametrize("remote", [False, True])
def test_of_many_who_take_over_a_dead_lease_at_once_one_succeeds(
    remote: bool, tmp_path: Path
) -> None:
    files = RemoteFiles(tmp_path.as_uri()) if remote else LocalFiles(tmp_path)
    lease = Leases(files).try_lease(STEP)
    assert lease
    lease.release(done=False)
    start, won = threading.Barrier(8), []

    def race() -> None:
        leases = Leases(files)
        start.wait()
        won.append(leases.try_lease(STEP))

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 8
    assert sum(lease is not None for lease in won) == 1


ACTS = st.tuples(st.sampled_from(["try", "renew", "give back", "wait"]), st.integers(0, 2))


@law
@given(st.lists(ACTS, max_size=30))
def test_whatever_three_drivers_do_at_most_one_of_them_holds_the_step(
    acts: list[tuple[str, int]],
) -> None:
    files, clock = RemoteFiles(f"memory://{uuid4().hex}"), Clock()
    drivers = [Leases(files, SECONDS, clock) for _ in range(3)]
    held: dict[int, Lease] = {}
    with pytest.MonkeyPatch.context() as patch:
        # Nobody can see anybody die: only silence tells.
        patch.setattr(leases_module, "this_machine", lambda: uuid4().hex)
        for act, who in acts:
            if act == "wait":
                clock.now += SECONDS / 2
            elif act == "try" and who not in held:
                lease = drivers[who].try_lease(STEP)
                held |= {who: lease} if lease else {}
            elif act == "renew" and who in held and not held[who].renew():
                del held[who]
            elif act == "give back" and who in held:
                held.pop(who).release(done=False)
            latest = files.names(f"leases/{STEP.kind}/{STEP.fingerprint}")[-1:]
            holding = [one for one in held.values() if one.name.rpartition("/")[2] in latest]
            assert len(holding) <= 1


def test_a_driver_that_ends_a_step_and_one_that_asks_for_it_are_in_nobodys_way(
    tmp_path: Path,
) -> None:
    files = LocalFiles(tmp_path)
    one, other = Leases(files, SECONDS), Leases(files, SECONDS)

    def end(leases: Leases) -> None:
        if lease := leases.try_lease(STEP):
            lease.renew()
            lease.release(done=True)

    again_and_again(
        lambda: end(one),
        [lambda: end(other), lambda: other.is_held(STEP), lambda: all_leases(files)],
    )
    end(one)
    assert all_leases(files) == {}

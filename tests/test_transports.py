"""Every transport gives every warm-up the same bits, on any number of workers, after any kill."""

import time
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
import torch

from orchestrator.actors import RayPool
from orchestrator.local import in_process_pool
from orchestrator.schedule import Resources
from orchestrator.transports import Transport
from orchestrator.transports.shared_memory import NAME
from projection.errors import InputError
from tests.warmups import LAYOUT, ToyJob
from trainers.settings import Deltas, OuterOptimizer, WarmupSettings
from trainers.warmup import Hooks, warm_up

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

SETTINGS = WarmupSettings(rounds=4, outer_lr=0.5)


def run(pool, job, *, state=None, hooks=None):
    """The state after all rounds, what they reported, and the transport."""
    reports = []
    hooks = hooks or Hooks(lambda _done, report: reports.append(report))
    with pool(job, LAYOUT) as rounds:
        after = warm_up(state or job.start(), rounds, job.settings.rounds, hooks)
        name = rounds.name
    return after, reports, name


def assert_same(found, expected):
    assert found.rounds == expected.rounds
    assert torch.equal(found.parameters, expected.parameters)
    assert torch.equal(found.moment1, expected.moment1)
    assert torch.equal(found.moment2, expected.moment2)
    assert torch.equal(found.moved, expected.moved)


def pool_of(transport, workers):
    return RayPool(workers, Resources(0.3), uuid4().hex, transport)


def settings_of(optimizer):
    return SETTINGS.model_copy(update={"outer_optimizer": optimizer})


@pytest.fixture(scope="module")
def in_process():
    return run(in_process_pool, ToyJob(SETTINGS))


@pytest.mark.parametrize("transport", Transport)
@pytest.mark.parametrize(
    ("workers", "optimizer"),
    [(1, OuterOptimizer.SGD), (2, OuterOptimizer.NESTEROV), (3, SETTINGS.outer_optimizer)],
)
def test_any_transport_and_any_number_of_workers_give_the_bits_of_one_process(
    transport, workers, optimizer
):
    job = ToyJob(settings_of(optimizer))
    expected, expected_reports, _ = run(in_process_pool, job)
    found, reports, name = run(pool_of(transport, workers), job)
    assert name == transport
    assert_same(found, expected)
    assert reports == expected_reports


@pytest.mark.parametrize("transport", Transport)
def test_a_worker_killed_in_mid_round_changes_no_bit(transport, in_process, tmp_path):
    fuse = tmp_path / "es"
    fuse.touch()
    job = ToyJob(SETTINGS, kill={"es": fuse})
    found, _, _ = run(pool_of(transport, 2), job)
    assert not fuse.exists(), "the worker must have died"
    assert_same(found, in_process[0])


@pytest.mark.parametrize("transport", Transport)
def test_rounds_go_on_from_a_state_of_earlier_ones_and_give_up_theirs_in_between(
    transport, in_process
):
    one, three = (
        run(in_process_pool, ToyJob(SETTINGS.model_copy(update={"rounds": rounds})))[0]
        for rounds in (1, 3)
    )
    seen = []

    def keep(state):
        if state.rounds == 3:
            assert_same(state, three)
        seen.append(state.rounds)

    hooks = Hooks(wants_state=lambda _done: True, keep=keep)
    found, _, _ = run(pool_of(transport, 2), ToyJob(SETTINGS), state=one, hooks=hooks)
    assert seen == [2, 3]
    assert_same(found, in_process[0])


def test_moves_in_bfloat16_give_the_same_bits_through_the_object_store_and_after_a_kill(tmp_path):
    settings = SETTINGS.model_copy(update={"deltas": Deltas.BFLOAT16})
    expected = run(in_process_pool, ToyJob(settings))[0]
    fuse = tmp_path / "nl"
    fuse.touch()
    found, _, name = run(pool_of(None, 2), ToyJob(settings, kill={"nl": fuse}))
    assert name == Transport.OBJECT_STORE
    assert not fuse.exists()
    assert_same(found, expected)
    assert all(
        torch.equal(found.residuals[one], expected.residuals[one]) for one in found.residuals
    )
    with pytest.raises(InputError, match="bfloat16 travels by the object store only"):
        run(pool_of(Transport.SHARED_MEMORY, 2), ToyJob(settings))


def test_workers_on_one_node_share_memory_of_which_nothing_is_left():
    assert run(pool_of(None, 2), ToyJob(SETTINGS))[2] == Transport.SHARED_MEMORY
    deadline = time.monotonic() + 60  # Ray ends the workers a little later
    while left := processes_with_a_segment():
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def processes_with_a_segment():
    """Those of this test and its cluster."""
    me = psutil.Process()
    family = [me, *me.children(recursive=True)]
    return [process for process in family if NAME in maps_of(process.pid)]


def maps_of(pid):
    try:
        return Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return ""

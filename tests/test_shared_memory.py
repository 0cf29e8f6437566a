"""What a segment is without Ray: reached by other processes, and gone with the last of them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from orchestrator.packing import longest, pack
from orchestrator.transports import Transport
from orchestrator.transports.object_store import PatchedStart, received, sent
from orchestrator.transports.probe import choose
from orchestrator.transports.shared_memory import NAME, new_segment, opened, reaches
from projection.errors import InputError
from trainers.flat import Layout
from trainers.settings import Deltas, WarmupSettings
from trainers.warmup import LanguageEnd

LAYOUT = Layout(5000, 10, 3)

OWNER = """
import sys, time
from orchestrator.transports.shared_memory import new_segment
from tests.test_shared_memory import LAYOUT
with new_segment(["de", "es"], LAYOUT) as (segment, vectors):
    vectors.parameters.fill_(7.0)
    print(segment.path, segment.key, flush=True)
    time.sleep(600)
"""
WORKER = """
import sys, time
from orchestrator.transports.shared_memory import Segment, opened
from tests.test_shared_memory import LAYOUT
vectors = opened(Segment(sys.argv[1], sys.argv[2], ("de", "es"), LAYOUT))
vectors.slots["es"].copy_(vectors.parameters + 1)
print(vectors.slots["es"][-1].item(), flush=True)
time.sleep(600)
"""


def started(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )


def pids_with_a_segment():
    found = set()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            if NAME in maps.read_text():
                found.add(int(maps.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.slow
def test_nothing_is_left_of_a_segment_when_owner_and_worker_were_killed():
    before = set(Path("/dev/shm").iterdir())
    owner = started(OWNER)
    path, key = owner.stdout.readline().split()
    worker = started(WORKER, path, key)
    try:
        assert float(worker.stdout.readline()) == 8.0
        assert {owner.pid, worker.pid} <= pids_with_a_segment()
        assert set(Path("/dev/shm").iterdir()) - before == set(), "a segment has no name"
    finally:
        for process in (owner, worker):
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            process.stdout.close()
    time.sleep(0.05)
    assert not {owner.pid, worker.pid} & pids_with_a_segment()
    assert not os.path.exists(path)


@pytest.fixture
def opens():
    """``opened``, which forgets in the end what it keeps open."""
    yield opened
    opened.cache_clear()


def test_what_one_mapping_writes_another_reads_and_slots_do_not_overlap(opens):
    with new_segment(["de", "es"], LAYOUT) as (segment, vectors):
        theirs = opens(segment)
        vectors.parameters.fill_(1.0)
        for number, slot in enumerate(theirs.slots.values()):
            assert len(slot) == LAYOUT.size
            slot.fill_(2.0 + number)
        assert [vectors.slots[one].unique().tolist() for one in ("de", "es")] == [[2.0], [3.0]]
        assert theirs.parameters.unique().tolist() == [1.0]
        assert segment.stride % 4096 == 0


def test_a_segment_at_the_path_of_an_earlier_one_is_opened_anew(opens):
    found = []
    for value in (1.0, 2.0):
        with new_segment(["de"], LAYOUT) as (segment, vectors):
            vectors.parameters.fill_(value)
            found.append((segment.path, opens(segment).parameters[0].item()))
    assert found[0][0] == found[1][0], "or this test shows nothing"
    assert [value for _, value in found] == [1.0, 2.0]


def test_a_path_that_another_node_has_not_is_not_reached(tmp_path):
    (tmp_path / "there").write_bytes(b"token")
    assert reaches(None, str(tmp_path / "there"), b"token")
    assert not reaches(None, str(tmp_path / "there"), b"other")
    assert not reaches(None, str(tmp_path / "away"), b"token")


EXACT, ROUGH = WarmupSettings(), WarmupSettings(deltas=Deltas.BFLOAT16)


@pytest.mark.parametrize(
    ("one_node", "whole_gpus", "settings", "expected"),
    [
        (True, False, EXACT, Transport.SHARED_MEMORY),
        (True, True, EXACT, Transport.SHARED_MEMORY),
        (False, True, EXACT, Transport.COLLECTIVE),
        (False, False, EXACT, Transport.OBJECT_STORE),
        (True, False, ROUGH, Transport.OBJECT_STORE),
    ],
)
def test_the_probe_takes_the_fastest_transport_that_works(one_node, whole_gpus, settings, expected):
    assert choose(None, settings, lambda: one_node, whole_gpus=whole_gpus) is expected


def test_a_study_overrides_the_probe_as_far_as_that_works():
    for asked in Transport:
        assert choose(asked, EXACT, lambda: True, whole_gpus=False) is asked
    with pytest.raises(InputError, match="all warm-up workers on one Linux node"):
        choose(Transport.SHARED_MEMORY, EXACT, lambda: False, whole_gpus=False)
    with pytest.raises(InputError, match="by the object store only"):
        choose(Transport.COLLECTIVE, ROUGH, lambda: True, whole_gpus=False)


def test_languages_are_packed_by_cost_and_nobody_is_left_without():
    costs = {"de": 7.0, "es": 5.0, "fr": 4.0, "it": 4.0, "nl": 2.0}
    shares = pack(costs, 2)
    assert shares == [["de", "it"], ["es", "fr", "nl"]]
    assert longest(shares, costs) == 11.0  # 7 + 4 and 5 + 4 + 2: no way to do better than 22 / 2
    assert pack(costs, 9) == [["de"], ["es"], ["fr"], ["it"], ["nl"]]
    assert pack(dict.fromkeys("abcd", 1.0), 2) == [["a", "c"], ["b", "d"]]


def test_rows_of_a_patched_start_are_the_newest_there_are():
    table = torch.arange(12.0).view(6, 2)
    moved, patch = torch.tensor([1, 4]), torch.tensor([[-1.0, -1], [-4, -4]])
    start = PatchedStart(torch.zeros(0), table, moved, patch)
    wanted = torch.tensor([0, 1, 3, 4, 5])
    assert start.rows(wanted).tolist() == [[0, 1], [-1, -1], [6, 7], [-4, -4], [10, 11]]
    assert table[1].tolist() == [2, 3], "the table in the object store stays as it is"
    none = PatchedStart(torch.zeros(0), table, moved[:0], patch[:0])
    assert torch.equal(none.rows(wanted), table[wanted])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_end_is_received_as_it_was_sent(dtype):
    residual = torch.tensor([0.5, 0.25]) if dtype is torch.bfloat16 else None
    end = LanguageEnd(
        "de",
        torch.tensor([1.5, -2.0], dtype=dtype),
        torch.tensor([3, 8]),
        torch.tensor([[1.0], [2.0]]),
        0.5,
        1.25,
        residual,
    )
    found = received(sent(end))
    assert found.dense.dtype is dtype
    for name in ("dense", "rows", "table"):
        assert torch.equal(getattr(found, name), getattr(end, name))
    assert (found.language, found.loss, found.seconds) == ("de", 0.5, 1.25)
    assert (found.residual is None) == (residual is None)

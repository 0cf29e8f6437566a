"""The step store: the same promises from a folder and from a file system behind a URI."""

import errno
import json
import os
import pickle
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from orchestrator.store import BrokenStepError, StepStore, StoreRefusedError, snapshot
from orchestrator.store import patience as patience_module
from orchestrator.store.files import Files, LocalFiles
from orchestrator.store.step_store import QUARANTINE, WHY
from tests.races import again_and_again
from tests.stores import store_location


@dataclass(frozen=True)
class Step:
    kind: str = "finetune"
    fingerprint: str = "f" * 64


pytestmark = pytest.mark.usefixtures("own_places")

STEP = Step()
NAME = f"{STEP.kind}/{STEP.fingerprint}"


@pytest.fixture
def store(any_store: StepStore) -> StepStore:
    return any_store


def _fill(folder: Path) -> dict[str, Any]:
    (folder / "weights").write_text("w" * 100)
    (folder / "backbone").mkdir()
    (folder / "backbone" / "config.json").write_text("{}")
    return {"outputs": {"f1": 50.0}}


def _again(store: StepStore) -> StepStore:
    """The same store as another process of the same machine sees it."""
    again: StepStore = pickle.loads(pickle.dumps(store))
    return again


def _elsewhere(store: StepStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StepStore:
    """The same store as another machine sees it."""
    monkeypatch.setenv("XLWARM_CACHE", str(tmp_path / "other-machine"))
    return _again(store)


def _alter(store: StepStore, name: str, change: Callable[[bytes], bytes]) -> None:
    store.files.write(f"{NAME}/{name}", change(store.files.read(f"{NAME}/{name}")))


def test_a_written_step_is_done_and_gives_its_outputs_and_artefacts(store: StepStore) -> None:
    assert not store.is_done(STEP)
    store.write(STEP, _fill)
    for reader in (store, _again(store)):
        assert reader.is_done(STEP)
        assert reader.outputs(STEP) == {"f1": 50.0}
        assert (reader.folder(STEP) / "weights").read_text() == "w" * 100
        assert (reader.folder(STEP) / "backbone" / "config.json").read_text() == "{}"


def test_another_machine_reads_what_was_written_here(
    store: StepStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store.write(STEP, _fill)
    other = _elsewhere(store, monkeypatch, tmp_path)
    assert (other.folder(STEP) / "weights").read_text() == "w" * 100


def test_the_record_holds_size_and_sha256_of_every_artefact(store: StepStore) -> None:
    store.write(STEP, _fill)
    artefacts = store.record(STEP)["artefacts"]
    assert set(artefacts) == {"weights", "backbone/config.json"}
    # printf '{}' | sha256sum
    expected = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert artefacts["backbone/config.json"] == {"bytes": 2, "sha256": expected}


def test_a_step_that_fails_half_way_leaves_nothing_behind(store: StepStore, tmp_path: Path) -> None:
    def fail(folder: Path) -> dict[str, Any]:
        (folder / "weights").write_text("half")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        store.write(STEP, fail)
    assert not store.is_done(STEP)
    assert store.files.names("") == []
    assert list((tmp_path / "work").iterdir()) == []


def test_nothing_is_seen_of_a_step_while_it_is_written(store: StepStore) -> None:
    def look(folder: Path) -> dict[str, Any]:
        record = _fill(folder)
        assert not store.is_done(STEP)
        assert store.files.sizes(NAME) == {}
        return record

    store.write(STEP, look)


def test_the_first_of_two_writers_of_a_step_wins_and_the_second_does_not_fail(
    store: StepStore,
) -> None:
    def overtaken(folder: Path) -> dict[str, Any]:
        store.write(STEP, _fill)
        return {"outputs": {"f1": 99.0}}

    store.write(STEP, overtaken)
    assert store.outputs(STEP) == {"f1": 50.0}
    assert store.files.names("finetune") == [STEP.fingerprint]


def test_what_a_killed_upload_left_is_replaced_by_the_next(store: StepStore) -> None:
    store.files.write(f"{NAME}/weights", b"half")
    store.files.write(f"{NAME}/optimiser", b"of an older version")
    assert not store.is_done(STEP)
    store.write(STEP, _fill)
    assert store.is_whole(STEP)
    assert "optimiser" not in store.files.names(NAME)


def test_the_scratch_of_a_step_outlives_a_failed_attempt_and_goes_when_it_is_done(
    store: StepStore,
) -> None:
    def fail(folder: Path) -> dict[str, Any]:
        (store.scratch(STEP) / "round-7").write_text("half way")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        store.write(STEP, fail)
    scratch = _again(store).scratch(STEP)
    assert (scratch / "round-7").read_text() == "half way"
    store.write(STEP, _fill)
    assert not scratch.exists()


TRUNCATED = {
    "an artefact": ("weights", lambda content: content[:12], "weights has 12 bytes, expected 100"),
    "the record": ("step.json", lambda content: content[:-1], "step.json is not the one that DONE"),
    "the marker": ("DONE", lambda content: content[:5], "step.json is not the one that DONE"),
}


@pytest.mark.parametrize("case", TRUNCATED)
def test_a_step_with_a_truncated_file_counts_as_not_done_and_the_next_writing_mends_it(
    case: str, store: StepStore, caplog: pytest.LogCaptureFixture
) -> None:
    name, change, problem = TRUNCATED[case]
    store.write(STEP, _fill)
    _alter(store, name, change)
    reader = _again(store)
    assert not reader.is_done(STEP)
    assert f"{NAME} counts as not done: {problem}" in caplog.text
    with pytest.raises(FileNotFoundError):
        reader.outputs(STEP)
    reader.write(STEP, _fill)
    assert _again(store).is_whole(STEP)
    (aside,) = store.files.names(f"{QUARANTINE}/{STEP.kind}")
    assert problem in store.files.read(f"{QUARANTINE}/{STEP.kind}/{aside}/{WHY}").decode()


def test_a_missing_artefact_counts_as_not_done(store: StepStore) -> None:
    store.write(STEP, _fill)
    store.files.remove(f"{NAME}/backbone/config.json")
    assert not _again(store).is_done(STEP)


def test_an_altered_artefact_is_found_at_first_use_and_the_step_moved_aside(
    store: StepStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store.write(STEP, _fill)
    _alter(store, "weights", lambda content: b"v" + content[1:])
    reader = _elsewhere(store, monkeypatch, tmp_path)
    assert reader.is_done(STEP)  # sizes are right; only every byte tells
    with pytest.raises(BrokenStepError, match=r"weights was altered.*the next run computes it"):
        reader.folder(STEP)
    assert not reader.is_done(STEP)
    assert not _again(store).is_done(STEP)
    assert len(store.files.names(f"{QUARANTINE}/{STEP.kind}")) == 1


def test_whole_is_said_of_sound_steps_alone(
    store: StepStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert not store.is_whole(STEP)
    store.write(STEP, _fill)
    assert store.is_whole(STEP)
    _alter(store, "weights", lambda content: b"v" + content[1:])
    assert not _elsewhere(store, monkeypatch, tmp_path).is_whole(STEP)


def test_an_artefact_that_was_altered_on_this_machine_alone_is_fetched_again(
    tmp_path: Path,
) -> None:
    store = StepStore(store_location("memory", tmp_path))
    store.write(STEP, _fill)
    here = store.folder(STEP) / "weights"
    here.write_text("v" * 100)
    os.utime(here, ns=(1, 1))
    assert (store.folder(STEP) / "weights").read_text() == "w" * 100


class Refusing:
    """Files that refuse to publish so often before they let it happen."""

    def __init__(self, files: Files, times: int, error: Exception) -> None:
        self._files, self.left, self._error = files, times, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def publish(self, work: Path, folder: str, last: str) -> None:
        if self.left:
            self.left -= 1
            raise self._error
        self._files.publish(work, folder, last)


class ServerError(Exception):
    """As remote file systems raise them."""

    status = 503


REFUSALS = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EROFS, "Read-only file system"),
    OSError(errno.EIO, "Input/output error"),
    ConnectionResetError(),
    ServerError("service unavailable"),
]


def _refuse(store: StepStore, times: int, error: Exception) -> None:
    store.__dict__["files"] = Refusing(store.files, times, error)


@pytest.mark.parametrize("error", REFUSALS, ids=repr)
def test_a_store_that_refuses_for_a_while_costs_no_work(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience_module, "FIRST_WAIT", 0.001)
    store = StepStore(tmp_path / "store")
    _refuse(store, 3, error)
    computed = []
    store.write(STEP, lambda folder: computed.append(1) or _fill(folder))
    assert store.is_whole(STEP)
    assert len(computed) == 1


def test_a_store_that_refuses_for_ever_fails_with_what_it_said_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience_module, "FIRST_WAIT", 0.001)
    store = StepStore(tmp_path / "store", patience=0.05)
    _refuse(store, 10**6, REFUSALS[0])
    with pytest.raises(
        StoreRefusedError, match=r"publishing finetune ffff.* refused .* No space left .* run again"
    ):
        store.write(STEP, _fill)
    assert not store.is_done(STEP)


def test_a_store_that_may_not_be_written_fails_at_once(tmp_path: Path) -> None:
    store = StepStore(tmp_path / "store")
    _refuse(store, 1, PermissionError(errno.EACCES, "Permission denied"))
    with pytest.raises(PermissionError):
        store.write(STEP, _fill)


def test_a_store_on_another_file_system_than_the_work_is_copied_to_and_then_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir() or shared_memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system")
    work = shared_memory / f"xlwarm-test-{uuid4().hex}"
    monkeypatch.setenv("XLWARM_WORK", str(work))
    try:
        store = StepStore(tmp_path / "store")
        store.write(STEP, _fill)
        assert store.is_whole(STEP)
        assert store.files.names("partial/arriving") == []
    finally:
        shutil.rmtree(work)


def test_work_of_killed_processes_is_removed_and_that_of_living_ones_is_not(
    tmp_path: Path,
) -> None:
    dead, living = tmp_path / "work" / "999999999-a", tmp_path / "work" / f"{os.getpid()}-b"
    dead.mkdir(parents=True)
    living.mkdir()
    StepStore(tmp_path / "store").write(STEP, _fill)
    assert not dead.exists()
    assert living.exists()


def test_a_file_uri_is_the_folder_itself(tmp_path: Path) -> None:
    StepStore(tmp_path / "my store").write(STEP, _fill)
    store = StepStore((tmp_path / "my store").as_uri())
    assert store.root == tmp_path / "my store"
    assert store.is_whole(STEP)


def test_an_unknown_protocol_is_refused_with_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the store s4://bucket/store: .*pip install s3fs"):
        StepStore("s4://bucket/store").is_done(STEP)


def test_only_one_of_many_creators_of_a_file_is_told_that_it_made_it(store: StepStore) -> None:
    content = [json.dumps(k).encode() for k in range(3)]
    assert [store.files.create("leases/x", one) for one in content] == [True, False, False]
    assert store.files.read("leases/x") == b"0"


def test_files_move_list_and_vanish_alike_everywhere(store: StepStore) -> None:
    files = store.files
    assert files.names("a") == []
    assert files.sizes("a") == {}
    files.write("a/b/c", b"123")
    files.write("a/d", b"1")
    assert files.names("a") == ["b", "d"]
    assert files.sizes("a") == {"b/c": 3, "d": 1}
    assert files.exists("a/d")
    assert not files.exists("a/b")
    assert 0 <= files.age("a/d") + 1 < 100
    files.move("a", "z/y")
    assert files.sizes("z/y") == {"b/c": 3, "d": 1}
    assert files.sizes("a") == {}
    files.move("not/there", "z/x")
    files.remove("z/y/d")
    files.remove("z/y/d")
    files.remove("z")
    assert files.sizes("z") == {}
    with pytest.raises(FileNotFoundError):
        files.read("z/y/d")


def test_a_folder_that_somebody_else_removes_meanwhile_is_no_error(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)

    def make_and_remove() -> None:
        with suppress(FileNotFoundError):
            (tmp_path / "a" / "b").mkdir(parents=True, exist_ok=True)
            (tmp_path / "a" / "c").write_bytes(b"1")
        files.remove("a")

    names, sizes = set[str](), set[str]()
    again_and_again(
        make_and_remove,
        [
            lambda: names.update(files.names("a")),
            lambda: sizes.update(files.sizes("a")),
            lambda: files.remove("a/b"),
            lambda: files.remove("a"),
        ],
    )
    assert names <= {"b", "c"}
    assert sizes <= {"c"}
    files.remove("a")
    assert not (tmp_path / "a").exists()


def test_half_a_file_is_never_listed_in_a_folder(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path)
    files.write("leases/one", b"1")
    (tmp_path / "leases" / ".two.abc").write_bytes(b"being written")
    assert files.names("leases") == ["one"]


def test_a_snapshot_keeps_what_it_saw_of_a_step_and_the_next_one_sees_more(
    store: StepStore,
) -> None:
    seen = snapshot(store)
    assert not seen.is_done(STEP)
    store.write(STEP, _fill)
    assert not seen.is_done(STEP)
    assert snapshot(store).outputs(STEP) == {"f1": 50.0}

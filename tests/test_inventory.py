"""`xlwarm store`: what is listed, what may be removed, what is found broken."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import xlwarm
from orchestrator.plan import make_plan
from orchestrator.store import StepStore
from orchestrator.store.failures import FailureNote, note_failure
from orchestrator.store.files import ARRIVING, LocalFiles
from orchestrator.store.inventory import (
    GIVEN_UP_SECONDS,
    State,
    broken,
    entries,
    garbage,
    records,
    remove,
)
from orchestrator.store.leases import Lease, Leases
from orchestrator.study_file import read_study
from projection.errors import InputError
from tests.studies import write_study


@dataclass(frozen=True)
class Step:
    fingerprint: str
    kind: str = "finetune"


def _step(letter: str) -> Step:
    return Step(letter * 64)


def _fill(folder: Path) -> dict[str, Any]:
    (folder / "weights").write_text("w" * 100)
    return {
        "kind": "finetune",
        "title": "train on en seed 1",
        "outputs": {},
        "seconds": 2.5,
        "started": "2026-01-01T00:00:00+00:00",
    }


@pytest.fixture
def lease() -> Any:
    """Takes leases; they are this process's, which is alive."""
    return lambda store, step, uses=(): Leases(store.files).try_lease(step, uses)


def _note(letter: str) -> FailureNote:
    return FailureNote(
        kind="finetune",
        fingerprint=letter * 64,
        title="train on es",
        message="nan loss",
        log="",
        host="",
        when=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.fixture
def store(any_store: StepStore, lease: Any) -> StepStore:
    """One step of each state: d(one), b(roken), p(artial), l(eased), f(ailed), q(uarantined)."""
    for letter in "dbq":
        any_store.write(_step(letter), _fill)
    any_store.files.write(f"finetune/{'b' * 64}/weights", b"short")
    any_store.move_aside(f"finetune/{'q' * 64}", "weights was altered")
    (any_store.scratch(_step("p")) / "round-1").write_text("12345")
    assert lease(any_store, _step("l"))
    note_failure(any_store.files, _note("f"))
    return StepStore(any_store.location)


def test_every_step_is_listed_in_the_state_that_it_is_in(store: StepStore) -> None:
    found = {entry.fingerprint[0]: entry for entry in entries(store)}
    assert {letter: entry.state for letter, entry in found.items()} == {
        "d": State.DONE,
        "b": State.BROKEN,
        "p": State.PARTIAL,
        "l": State.LEASED,
        "f": State.FAILED,
        "q": State.QUARANTINED,
    }
    done = found["d"]
    assert (done.kind, done.title, done.seconds) == ("finetune", "train on en seed 1", 2.5)
    assert done.finished
    assert done.finished.isoformat() == "2026-01-01T00:00:02.500000+00:00"
    assert done.size > 100
    assert found["p"].size == 5
    assert found["b"].title == "weights has 5 bytes, expected 100"
    assert found["q"].title == "weights was altered"
    assert found["f"].title == "train on es: nan loss"
    assert f"by process {os.getpid()} on" in found["l"].title


def test_records_are_those_of_finished_steps(store: StepStore) -> None:
    assert [record["title"] for record in records(store)] == ["train on en seed 1"]


def test_garbage_is_what_no_study_needs_but_never_what_is_leased(store: StepStore) -> None:
    assert _letters(store, needed=set()) == {"d", "b", "p", "f", "q"}
    assert _letters(store, needed={"d" * 64, "p" * 64}) == {"b", "f", "q"}
    assert _letters(store, needed={"d" * 64, "f" * 64}) == {"b", "p", "q"}


def test_without_studies_every_finished_step_stays(store: StepStore) -> None:
    assert _letters(store, needed=None) == {"b", "p", "f", "q"}


def _letters(store: StepStore, needed: set[str] | None) -> set[str]:
    return {one.name.split("/")[-1][0] for one in garbage(store, needed)}


def test_what_the_holder_of_a_lease_reads_is_no_garbage(store: StepStore, lease: Any) -> None:
    assert lease(store, _step("m"), uses=["d" * 64])
    assert "d" not in _letters(store, needed=set())


def test_leases_that_are_over_are_garbage(any_store: StepStore, lease: Any) -> None:
    given_back, dead = lease(any_store, _step("g")), lease(any_store, _step("x"))
    given_back.release(done=False)
    _age(dead, pid=999_999_999)
    assert _letters(any_store, needed=set()) == {"g", "x"}


def _age(lease: Lease, **note: Any) -> None:
    lease.note = lease.note.model_copy(update=note)
    lease.renew()


def test_a_lease_elsewhere_that_was_silent_for_an_hour_is_garbage_and_before_it_is_not(
    tmp_path: Path, lease: Any
) -> None:
    store = StepStore(tmp_path)
    elsewhere = lease(store, _step("x"))
    _age(elsewhere, machine="elsewhere")
    assert _letters(store, needed=set()) == set()
    file = tmp_path / elsewhere.name
    long_ago = file.stat().st_mtime - GIVEN_UP_SECONDS - 60
    os.utime(file, (long_ago, long_ago))
    assert _letters(store, needed=set()) == {"x"}


def test_old_logs_and_stranded_copies_are_garbage(tmp_path: Path) -> None:
    store, files = StepStore(tmp_path), LocalFiles(tmp_path)
    for name in ("logs/new.log", "logs/old.log", f"{ARRIVING}/new/w", f"{ARRIVING}/old/w"):
        files.write(name, b"x")
    for name in ("logs/old.log", f"{ARRIVING}/old"):
        os.utime(tmp_path / name, (0, 0))
    assert {one.name for one in garbage(store, set())} == {"logs/old.log", f"{ARRIVING}/old"}


def test_removed_garbage_is_gone_and_the_rest_as_before(store: StepStore) -> None:
    for one in garbage(store, {"d" * 64}):
        remove(store, one)
    assert {entry.fingerprint[0] for entry in entries(store)} == {"d", "l"}
    assert store.is_whole(_step("d"))
    assert garbage(store, {"d" * 64}) == []


def test_verify_finds_what_no_size_tells(any_store: StepStore) -> None:
    for letter in "abc":
        any_store.write(_step(letter), _fill)
    any_store.files.write(f"finetune/{'a' * 64}/weights", b"v" * 100)
    any_store.files.remove(f"finetune/{'b' * 64}/weights")
    found = {entry.fingerprint[0]: problem for entry, problem in broken(any_store)}
    assert found == {
        "a": "weights was altered: its SHA-256 is not the recorded one",
        "b": "weights is missing",
        "c": None,
    }


class XlwarmStore:
    """Runs `xlwarm store` in this process: what it returns, what it prints."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> tuple[int, str]:
        code = xlwarm.main(["store", *map(str, arguments)], standalone_mode=False)
        return code or 0, self._capsys.readouterr().out


@pytest.fixture
def xlwarm_store(capsys: pytest.CaptureFixture[str]) -> XlwarmStore:
    return XlwarmStore(capsys)


def test_the_command_lists_as_json_and_as_a_table(
    tmp_path: Path, xlwarm_store: XlwarmStore
) -> None:
    StepStore(tmp_path / "store").write(_step("d"), _fill)
    where = ("--store", tmp_path / "store")
    _, listed = xlwarm_store("ls", *where, "--format", "json", "--kind", "finetune")
    (entry,) = json.loads(listed)
    assert (entry["state"], entry["bytes"] > 100) == ("done", True)
    _, table = xlwarm_store("ls", *where, "--state", "done")
    assert "dddddddddddd" in table
    assert xlwarm_store("ls", *where, "--state", "broken")[1].endswith("0 entries, 0 B\n")


def test_verify_returns_one_and_says_what_to_do_until_the_broken_step_is_aside(
    tmp_path: Path, xlwarm_store: XlwarmStore
) -> None:
    store = StepStore(tmp_path / "store")
    store.write(_step("d"), _fill)
    where = ("--store", tmp_path / "store")
    assert xlwarm_store("verify", *where) == (0, "1 steps checked, 0 broken\n")
    (store.folder(_step("d")) / "weights").write_text("v" * 100)
    code, found = xlwarm_store("verify", *where)
    assert code == 1
    assert f"broken  finetune/{'d' * 64}  weights was altered" in found
    assert "`xlwarm store verify --move-aside`" in found
    assert xlwarm_store("verify", *where, "--move-aside")[0] == 1
    assert xlwarm_store("verify", *where) == (0, "0 steps checked, 0 broken\n")


def test_a_store_that_is_not_there_is_bad_input(tmp_path: Path, xlwarm_store: XlwarmStore) -> None:
    with pytest.raises(InputError, match="there is no store at"):
        xlwarm_store("ls", "--store", tmp_path / "none")


def test_gc_without_studies_or_all_partial_is_refused_and_touches_nothing(
    tmp_path: Path, xlwarm_store: XlwarmStore
) -> None:
    StepStore(tmp_path / "store").write(_step("d"), _fill)
    with pytest.raises(InputError, match="name every study whose steps are to stay"):
        xlwarm_store("gc", "--store", tmp_path / "store", "--yes")
    assert StepStore(tmp_path / "store").is_done(_step("d"))


def test_gc_keeps_the_steps_of_the_study_and_removes_nothing_without_yes(
    tmp_path: Path, tiny_bert: Path, xlwarm_store: XlwarmStore
) -> None:
    study = write_study(tmp_path, tiny_bert)
    store = StepStore(tmp_path / "store")
    kept = make_plan(read_study(study)).steps[0]
    for step in (kept, _step("d")):
        store.write(step, _fill)
    code, dry = xlwarm_store("gc", study, "--store", store.root)
    assert (code, store.is_done(_step("d"))) == (0, True)
    assert f"would remove  finetune/{'d' * 64}  no study given needs it" in dry
    assert xlwarm_store("gc", study, "--store", store.root, "--yes")[0] == 0
    assert (store.is_done(kept), store.is_done(_step("d"))) == (True, False)

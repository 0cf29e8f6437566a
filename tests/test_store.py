from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.store import StepStore


@dataclass(frozen=True)
class Step:
    kind: str = "finetune"
    fingerprint: str = "f" * 64


def _fill(folder: Path) -> dict[str, object]:
    (folder / "weights").write_text("w")
    return {"outputs": {"f1": 50.0}}


def test_a_written_step_is_done_and_gives_its_outputs(tmp_path: Path) -> None:
    store = StepStore(tmp_path)
    assert not store.is_done(Step())
    store.write(Step(), _fill)
    assert store.is_done(Step())
    assert store.outputs(Step()) == {"f1": 50.0}
    assert (store.folder(Step()) / "weights").read_text() == "w"


def test_a_step_that_fails_half_way_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail(folder: Path) -> dict[str, object]:
        (folder / "weights").write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        StepStore(tmp_path).write(Step(), fail)
    assert not StepStore(tmp_path).is_done(Step())
    assert list((tmp_path / "finetune").iterdir()) == []


def test_nothing_is_seen_of_a_step_while_it_is_written(tmp_path: Path) -> None:
    store = StepStore(tmp_path)

    def look(folder: Path) -> dict[str, object]:
        assert not store.is_done(Step())
        assert not store.folder(Step()).exists()
        return _fill(folder)

    store.write(Step(), look)


def test_the_first_of_two_writers_of_a_step_wins_and_the_second_does_not_fail(
    tmp_path: Path,
) -> None:
    store = StepStore(tmp_path)

    def overtaken(folder: Path) -> dict[str, object]:
        store.write(Step(), _fill)
        return {"outputs": {"f1": 99.0}}

    store.write(Step(), overtaken)
    assert store.outputs(Step()) == {"f1": 50.0}
    assert [path.name for path in (tmp_path / "finetune").iterdir()] == [Step().fingerprint]


def test_the_scratch_of_a_step_outlives_a_failed_attempt_and_goes_when_it_is_done(
    tmp_path: Path,
) -> None:
    store = StepStore(tmp_path)

    def fail(folder: Path) -> dict[str, object]:
        (store.scratch(Step()) / "round-7").write_text("half way")
        raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        store.write(Step(), fail)
    scratch = StepStore(tmp_path).scratch(Step())
    assert (scratch / "round-7").read_text() == "half way"
    store.write(Step(), _fill)
    assert not scratch.exists()

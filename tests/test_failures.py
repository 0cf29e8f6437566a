"""What the store remembers of steps that failed, and for how long."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from orchestrator.execute import Failure, run_steps
from orchestrator.failures import FailureNotes
from orchestrator.fingerprints import Json
from orchestrator.local import InProcessLauncher
from orchestrator.steps.base import Step, Surroundings
from orchestrator.store import StepStore
from orchestrator.store.failures import FailureNote, failure_notes, note_failure


@dataclass(frozen=True, kw_only=True)
class Moody(Step):
    """Fails while the file ``mood`` is there, which is no part of what it computes."""

    kind: ClassVar[str] = "toy"
    mood: str

    def title(self) -> str:
        return "moody step"

    def run(self, folder: Path, around: Surroundings) -> dict[str, Json]:
        if Path(self.mood).exists():
            raise FloatingPointError("nan loss")
        return {}


def _notes(store: StepStore) -> list[FailureNote]:
    return [note for _, note in failure_notes(store.files)]


def _run(step: Step, root: Path) -> None:
    run_steps([step], StepStore(root), InProcessLauncher(root), [FailureNotes(StepStore(root))])


def test_a_failed_step_is_noted_until_it_is_done(tmp_path: Path) -> None:
    mood, store = tmp_path / "mood", StepStore(tmp_path / "store")
    step = Moody(mood=str(mood))
    mood.touch()
    _run(step, store.root)
    _run(step, store.root)
    (note,) = _notes(store)
    assert (note.kind, note.fingerprint, note.title) == ("toy", step.fingerprint, "moody step")
    assert note.message == "FloatingPointError: nan loss"
    assert "nan loss" in Path(note.log).read_text()
    mood.unlink()
    _run(step, store.root)
    assert _notes(store) == []


def test_whoever_publishes_a_step_removes_the_note_of_another_driver(any_store: StepStore) -> None:
    step = Moody(mood="")
    FailureNotes(any_store).failed(step, Failure("its process died", "the logs of Ray"))
    assert [note.message for note in _notes(any_store)] == ["its process died"]
    any_store.write(step, lambda _folder: {"outputs": {}})
    assert _notes(any_store) == []


def test_a_store_that_refuses_notes_costs_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = StepStore(tmp_path)

    def refuse(*_arguments: Any) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(store.files, "write", refuse)
    FailureNotes(store).failed(Moody(mood=""), Failure("no", "log"))
    monkeypatch.setattr(store.files, "remove", refuse)
    monkeypatch.setattr(store.files, "write", type(store.files).write.__get__(store.files))
    store.write(Moody(mood=""), lambda _folder: {"outputs": {}})
    assert store.is_done(Moody(mood=""))


def test_half_a_note_is_none(tmp_path: Path) -> None:
    store = StepStore(tmp_path)
    FailureNotes(store).failed(Moody(mood=""), Failure("no", "log"))
    (note,) = _notes(store)
    store.files.write(note.name, b'{"kind": "pro')
    assert _notes(store) == []
    note_failure(store.files, note)
    assert _notes(store) == [note]

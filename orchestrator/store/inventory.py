"""What a store holds, what of it nobody needs, and what is broken."""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from orchestrator.store.contents import contents_in, wrong_content
from orchestrator.store.failures import FAILURES, failure_notes
from orchestrator.store.files import ARRIVING, Files, LocalFiles
from orchestrator.store.leases import LEASES, LeaseNote, all_leases
from orchestrator.store.step_store import IMPORTED, LOGS, PARTIAL, QUARANTINE, WHY, StepStore
from orchestrator.store.workplace import work_folder

FINGERPRINT_DIGITS = 64

GIVEN_UP_SECONDS = 3600.0
"""A lease that was not renewed for so long is of a dead driver, however wrong clocks are."""

SWEEPS = "sweeps"
"""Folder of the records of sweeps, which are no steps."""

OLD_LOG_SECONDS = 30 * 86400.0


class State(StrEnum):
    """How it stands with something in the store."""

    DONE = "done"
    BROKEN = "broken"
    """Was done; an artefact is missing or has another size."""
    PARTIAL = "partial"
    """Of an attempt that has not ended, or never will."""
    LEASED = "leased"
    """A driver computes it now."""
    FAILED = "failed"
    """Its last attempt failed, and it is noted why."""
    IMPORTED = "imported"
    """A result that another store found; what a step would need of it is not here."""
    QUARANTINED = "quarantined"
    """Found broken and moved aside."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A step, or what there is of one."""

    kind: str
    fingerprint: str
    state: State
    name: str
    """Of its folder."""
    size: int
    """Bytes."""
    title: str = ""
    finished: datetime | None = None
    seconds: float | None = None
    """That it took."""


def entries(store: StepStore) -> Iterator[Entry]:
    """Everything that has to do with a step."""
    yield from _steps(store)
    here = LocalFiles(store.root)
    for name, kind, fingerprint in _folders(here, PARTIAL):
        if not name.startswith(ARRIVING):
            yield _entry(here, name, kind, fingerprint, State.PARTIAL)
    for name, kind, rest in _folders(store.files, QUARANTINE):
        why = _text(store.files, f"{name}/{WHY}")
        entry = _entry(store.files, name, kind, rest[:FINGERPRINT_DIGITS], State.QUARANTINED, why)
        yield entry
    for name, note in live_leases(store.files).items():
        _, kind, fingerprint, _ = name.split("/")
        holder = f"by process {note.pid} on {note.host}" if note else ""
        yield Entry(kind, fingerprint, State.LEASED, name, 0, holder)
    for name, failure in failure_notes(store.files):
        text = f"{failure.title}: {failure.message}"
        yield Entry(failure.kind, failure.fingerprint, State.FAILED, name, 0, text, failure.when)


def _steps(store: StepStore) -> Iterator[Entry]:
    yield from _recorded(store, "", State.DONE)
    yield from _recorded(store, f"{IMPORTED}/", State.IMPORTED)


def _recorded(store: StepStore, base: str, whole: State) -> Iterator[Entry]:
    """Steps by kind and fingerprint below ``base``."""
    for kind in store.files.names(base.rstrip("/")):
        if kind == SWEEPS:
            continue
        for fingerprint in store.files.names(f"{base}{kind}"):
            if len(fingerprint) != FINGERPRINT_DIGITS:
                continue
            name = f"{base}{kind}/{fingerprint}"
            record, problem = store.examine(name)
            if record:
                yield _done(store, name, record, whole)
            else:
                state = State.BROKEN if problem else State.PARTIAL
                yield _entry(store.files, name, kind, fingerprint, state, problem or "")


def _done(store: StepStore, name: str, record: dict[str, Any], state: State) -> Entry:
    kind, fingerprint = name.split("/")[-2:]
    size = sum(store.files.sizes(name).values())
    seconds, started = record.get("seconds"), record.get("started")
    finished = None
    if seconds is not None and started is not None:
        finished = datetime.fromtimestamp(
            datetime.fromisoformat(started).timestamp() + seconds, tz=UTC
        )
    title = record.get("title", "")
    return Entry(kind, fingerprint, state, name, size, title, finished, seconds)


def _entry(
    files: Files, name: str, kind: str, fingerprint: str, state: State, title: str = ""
) -> Entry:
    return Entry(kind, fingerprint, state, name, sum(files.sizes(name).values()), title)


def _folders(files: Files, base: str) -> Iterator[tuple[str, str, str]]:
    """Name, kind and last part of every ``<base>/<kind>/<...>``."""
    for kind in files.names(base):
        for last in files.names(f"{base}/{kind}"):
            yield f"{base}/{kind}/{last}", kind, last


def _text(files: Files, name: str) -> str:
    return files.read(name).decode() if files.exists(name) else ""


def records(store: StepStore) -> Iterator[dict[str, Any]]:
    """``step.json`` of every finished step."""
    for entry in _steps(store):
        if entry.state is State.DONE:
            record, _ = store.examine(entry.name)
            if record and "kind" in record:
                yield record


def live_leases(files: Files) -> dict[str, LeaseNote | None]:
    """Leases whose holder may be alive, by the names of their files."""
    return {
        name: note
        for name, note in all_leases(files).items()
        if not (note and (note.released or note.is_of_a_dead_process()))
        and not _given_up(files, name)
    }


def _given_up(files: Files, name: str) -> bool:
    try:
        return files.age(name) >= GIVEN_UP_SECONDS
    except FileNotFoundError:
        return True  # given back a moment ago


@dataclass(frozen=True, slots=True)
class Garbage:
    """Something that nobody needs."""

    name: str
    size: int
    why: str
    on_this_machine: bool = False
    """In the folder of the store on this machine, where that is not the store itself."""


def garbage(store: StepStore, needed: Set[str] | None) -> list[Garbage]:
    """What may be removed: never what is leased, nor what somebody reads who has a lease.

    Args:
        store: To look at.
        needed: Fingerprints of the steps to keep; what is partial is kept if it is of one of them.
            None: keep every finished step, but nothing partial.
    """
    leases = live_leases(store.files)
    busy = {name.split("/")[2] for name in leases}
    busy.update(used for note in leases.values() if note for used in note.uses)
    found = [
        Garbage(entry.name, entry.size, why, on_this_machine=entry.name.startswith(PARTIAL))
        for entry in entries(store)
        if entry.fingerprint not in busy and (why := _why_useless(entry, needed))
    ]
    return [*found, *_stranded(store), *_old_logs(store), *_old_leases(store, leases)]


def _why_useless(entry: Entry, needed: Set[str] | None) -> str | None:
    whole = entry.state in (State.DONE, State.IMPORTED)
    wanted = entry.fingerprint in needed if needed is not None else whole
    if whole:
        return None if wanted else "no study given needs it"
    if entry.state in (State.PARTIAL, State.FAILED):
        return None if wanted else "of an attempt that ended"
    return {State.QUARANTINED: "was broken", State.BROKEN: "is broken"}.get(entry.state)


def _stranded(store: StepStore) -> Iterator[Garbage]:
    """Steps that were being copied in when their process died."""
    here = LocalFiles(store.root)
    for last in here.names(ARRIVING):
        name = f"{ARRIVING}/{last}"
        if here.age(name) > GIVEN_UP_SECONDS:
            yield Garbage(name, sum(here.sizes(name).values()), "copied in by halves", True)


def _old_logs(store: StepStore) -> Iterator[Garbage]:
    here = LocalFiles(store.root)
    for name, size in here.sizes(LOGS).items():
        if here.age(f"{LOGS}/{name}") > OLD_LOG_SECONDS:
            yield Garbage(f"{LOGS}/{name}", size, "older than 30 days", on_this_machine=True)


def _old_leases(store: StepStore, live: dict[str, LeaseNote | None]) -> Iterator[Garbage]:
    for name in all_leases(store.files):
        if name not in live:
            folder = name.rpartition("/")[0]
            size = sum(store.files.sizes(folder).values())
            yield Garbage(folder, size, "a lease that was given back or is of a dead driver")


def remove(store: StepStore, one: Garbage) -> None:
    """Remove it; a step stops being done before its artefacts go."""
    files: Files = LocalFiles(store.root) if one.on_this_machine else store.files
    if not one.name.startswith((PARTIAL, QUARANTINE, LOGS, LEASES, FAILURES)):
        files.remove(f"{one.name}/DONE")
    files.remove(one.name)


def broken(store: StepStore) -> Iterator[tuple[Entry, str | None]]:
    """Every finished step, and what is wrong with it to the last byte, or None."""
    for entry in _steps(store):
        if entry.state is State.BROKEN:
            yield entry, entry.title
        elif entry.state in (State.DONE, State.IMPORTED):
            record, problem = store.examine(entry.name)
            yield entry, problem or (_wrong_bytes(store, entry.name, record) if record else None)


def _wrong_bytes(store: StepStore, name: str, record: dict[str, Any]) -> str | None:
    if store.local:
        return wrong_content(contents_in(record), store.local / name)
    with work_folder() as work:
        copy: Path = work / "step"
        store.files.fetch(name, copy)
        return wrong_content(contents_in(record), copy)

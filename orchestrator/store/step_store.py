"""The step store: a place in which everything that was computed lies under its fingerprint.

``<store>/<kind>/<fingerprint>/`` holds the artefacts, ``step.json`` and ``DONE``; docs/store.md
tells the whole layout. A step is computed into a folder of the machine that computes it and
published whole: by one rename where the store is a folder, by uploading ``DONE`` last elsewhere.
"""

import hashlib
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from orchestrator.fingerprints import Json
from orchestrator.store.contents import (
    DONE,
    RECORD,
    contents_in,
    opened,
    seal,
    wrong_content,
    wrong_sizes,
)
from orchestrator.store.failures import forget_failure
from orchestrator.store.files import Files, LocalFiles
from orchestrator.store.patience import PATIENCE_SECONDS, patiently
from orchestrator.store.workplace import cache_folder, work_folder

PARTIAL, QUARANTINE, LOGS = "partial", "quarantine", "logs"
IMPORTED = "imported"
"""Folder of what was imported from other stores: results, without what a step would need."""
WHY = "WHY"
"""File of a quarantined step that says what was wrong."""

log = logging.getLogger("xlwarm.store")


class Stored(Protocol):
    """What the store needs to know of a step."""

    @property
    def kind(self) -> str:
        """Kind of step, the name of its folder in the store."""

    @property
    def fingerprint(self) -> str:
        """Identity of the step."""


class BrokenStepError(RuntimeError):
    """A finished step whose artefacts are not what was written; it counts as not done."""

    def __init__(self, fingerprint: str, message: str) -> None:
        super().__init__(fingerprint, message)
        self.fingerprint = fingerprint
        """Of the broken step."""

    def __str__(self) -> str:
        return str(self.args[1])


@dataclass(frozen=True)
class StepStore:
    """A store, wherever it is; may be sent to other processes and nodes.

    Args:
        location: A folder that all workers share, or an fsspec URI (``s3://bucket/store``).
        patience: Seconds for which a result that was computed waits for a store that refuses it.
    """

    location: Path | str
    patience: float = PATIENCE_SECONDS

    @cached_property
    def local(self) -> Path | None:
        """The folder of the store; None if it is elsewhere."""
        if isinstance(self.location, Path):
            return self.location
        parts = urlsplit(self.location)
        if "://" not in self.location:
            return Path(self.location)
        return Path(unquote(parts.path)) if parts.scheme in ("file", "local") else None

    @property
    def is_shared(self) -> bool:
        """False if no other process can see it."""
        return not str(self.location).startswith("memory://")

    @cached_property
    def root(self) -> Path:
        """The folder of the store on this machine: itself, or what is kept here of a remote one.

        What is no step but belongs to the store (the tracking database, the translation memory)
        lies here too.
        """
        return self.local or cache_folder(str(self.location))

    @cached_property
    def files(self) -> Files:
        """The files of the store."""
        if self.local:
            return LocalFiles(self.local)
        from orchestrator.store.remote import RemoteFiles

        return RemoteFiles(str(self.location))

    @cached_property
    def _records(self) -> dict[str, dict[str, Any]]:
        """Records of steps of a remote store that were whole when this process looked."""
        return {}

    @cached_property
    def _told(self) -> set[str]:
        """Broken steps that were reported."""
        return set()

    def __getstate__(self) -> dict[str, Any]:
        """Where it is; what this process knows of it does not travel."""
        return {"location": self.location, "patience": self.patience}

    def is_done(self, step: Stored) -> bool:
        """True if ``step`` was computed, by whomever, and its artefacts have their sizes."""
        return self._sound_record(place(step)) is not None

    def has_result(self, step: Stored) -> bool:
        """True if ``step`` is done, or what it found was imported from another store."""
        return self._result(step) is not None

    def _result(self, step: Stored) -> tuple[str, dict[str, Any]] | None:
        """Where the result of ``step`` lies, and its record."""
        for name in (place(step), imported_place(step)):
            record = self._sound_record(name)
            if record is not None:
                return name, record
        return None

    def record(self, step: Stored) -> dict[str, Any]:
        """``step.json`` of a step that is done or was imported.

        Raises:
            FileNotFoundError: It is neither.
        """
        return self._found(step)[1]

    def _found(self, step: Stored) -> tuple[str, dict[str, Any]]:
        found = self._result(step)
        if found is None:
            raise FileNotFoundError(f"{place(step)} is not in the store {self.location}")
        return found

    def read(self, step: Stored, artefact: str) -> bytes:
        """One artefact of a step that is done or was imported; no other is fetched.

        Raises:
            FileNotFoundError: There is no such artefact.
            BrokenStepError: It is not what was written. The step was moved aside.
        """
        name, record = self._found(step)
        expected = contents_in(record).get(artefact)
        if expected is None:
            raise FileNotFoundError(f"{place(step)} has no {artefact} in {self.location}")
        content = self.files.read(f"{name}/{artefact}")
        if hashlib.sha256(content).hexdigest() != expected.sha256:
            raise self._broken(step, name, f"{artefact} was altered")
        return content

    def outputs(self, step: Stored) -> dict[str, Any]:
        """What a finished step reported."""
        outputs: dict[str, Any] = self.record(step)["outputs"]
        return outputs

    def _sound_record(self, name: str) -> dict[str, Any] | None:
        if name in self._records:
            return self._records[name]
        record, problem = self.examine(name)
        if problem and name not in self._told:
            self._told.add(name)
            log.warning("%s counts as not done: %s", name, problem)
        if record is not None and not self.local:
            self._records[name] = record
        return record

    def examine(self, name: str) -> tuple[dict[str, Any] | None, str | None]:
        """The record of ``<kind>/<fingerprint>`` if all is well by sizes, else what is wrong.

        Both are None if there is no such step.
        """
        try:
            done = self.files.read(f"{name}/{DONE}")
        except FileNotFoundError:
            return None, None
        try:
            record = opened(self.files.read(f"{name}/{RECORD}"), done)
        except FileNotFoundError:
            record = None
        if record is None:
            return None, f"{RECORD} is not the one that {DONE} was written for"
        problem = wrong_sizes(contents_in(record), self.files.sizes(name))
        return (None, problem) if problem else (record, None)

    def folder(self, step: Stored) -> Path:
        """A folder of this machine with the artefacts of ``step``; of one that is not done, where
        they will be.

        The bytes of every artefact are checked the first time that a process asks.

        Raises:
            BrokenStepError: They are not what was written. The step was moved aside, and counts
                as not done from now on.
        """
        record = self._sound_record(place(step))
        here = self.root / place(step)
        if record is None:
            return here
        if not self.local and wrong_content(contents_in(record), here):
            self._download(place(step), here)
        problem = wrong_content(contents_in(record), here)
        if problem:
            raise self._broken(step, place(step), problem)
        return here

    def _broken(self, step: Stored, name: str, problem: str) -> BrokenStepError:
        aside = self.move_aside(name, problem)
        return BrokenStepError(
            step.fingerprint,
            f"{step.kind} {step.fingerprint[:12]}: {problem}. It was moved to {aside}; "
            "the next run computes it again",
        )

    def _download(self, name: str, here: Path) -> None:
        """Replace what is ``here`` by what the store has; readers see all or nothing."""
        arriving = here.with_name(f".{here.name}.{uuid4().hex}")
        what = f"fetching {name} from {self.location}"
        try:
            patiently(lambda: self._fetch(name, arriving), what, self.patience)
            shutil.rmtree(here, ignore_errors=True)
            LocalFiles(self.root).publish(arriving, name, DONE)
        except FileExistsError:
            pass  # another process of this machine was faster
        finally:
            shutil.rmtree(arriving, ignore_errors=True)

    def _fetch(self, name: str, to: Path) -> None:
        shutil.rmtree(to, ignore_errors=True)
        self.files.fetch(name, to)

    def is_whole(self, step: Stored) -> bool:
        """True if ``step`` is done and every byte of it is what was written; else moved aside."""
        try:
            self.folder(step)
        except BrokenStepError as error:
            log.warning("%s", error)
        return self.is_done(step)

    def write(self, step: Stored, fill: Callable[[Path], Mapping[str, Json]]) -> None:
        """Let ``fill`` write the artefacts and return the record; then publish them at once, and
        forget that the step ever failed.

        If another driver was first, its result stays and this one is thrown away: equal
        fingerprints mean equal results. A store that refuses is asked again for a while, the
        result waits on this machine.

        Raises:
            StoreRefusedError: The store refused for longer than ``patience``.
        """
        with work_folder() as work:
            seal(work, fill(work))
            self.put(work, place(step))
        forget_failure(self.files, place(step))
        shutil.rmtree(self._scratch(step), ignore_errors=True)

    def put(self, work: Path, name: str) -> None:
        """Publish the sealed folder ``work`` as ``name``; what is whole there stays, what is broken
        is moved aside.

        Raises:
            StoreRefusedError: The store refused for longer than ``patience``.
        """
        kind, fingerprint = name.split("/")[-2:]
        what = f"publishing {kind} {fingerprint[:12]} to {self.location}"
        patiently(lambda: self._publish(work, name), what, self.patience)

    def _publish(self, work: Path, name: str) -> None:
        record, problem = self.examine(name)
        if record is not None:
            return
        if problem or self.files.sizes(name):
            self.move_aside(name, problem or "it was left half written")
        try:
            self.files.publish(work, name, DONE)
        except FileExistsError:
            return  # another driver was faster by a moment

    def move_aside(self, name: str, problem: str) -> str:
        """Put a step, done or imported, where nobody takes it for done; returns where.

        Args:
            name: ``<kind>/<fingerprint>`` or ``imported/<kind>/<fingerprint>``.
            problem: What is wrong with it.
        """
        when = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        aside = f"{QUARANTINE}/{name.removeprefix(f'{IMPORTED}/')}-{when}-{uuid4().hex[:4]}"
        self.files.move(name, aside)
        self._records.pop(name, None)
        self.files.write(f"{aside}/{WHY}", problem.encode())
        log.warning("%s was moved to %s: %s", name, aside, problem)
        return aside

    def scratch(self, step: Stored) -> Path:
        """A folder in which ``step`` keeps what it would go on with after a crash.

        It is there, and holds what the last attempt left; it is removed when the step is done.
        Write to it by renaming whole files: an attempt may end at any moment. In a remote store it
        is a folder of this machine, so an attempt on another node begins anew.
        """
        folder = self._scratch(step)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _scratch(self, step: Stored) -> Path:
        return self.root / PARTIAL / place(step) / "scratch"

    def log_path(self, step: Stored) -> Path:
        """Where the log of a failed attempt goes."""
        return self.root / LOGS / f"{step.kind}-{step.fingerprint[:12]}.log"


def place(step: Stored) -> str:
    """``<kind>/<fingerprint>``, the name of a step's folder."""
    return f"{step.kind}/{step.fingerprint}"


def imported_place(step: Stored) -> str:
    """The name of the folder in which the imported result of a step lies."""
    return f"{IMPORTED}/{place(step)}"


def open_store(location: str, patience: float = PATIENCE_SECONDS) -> StepStore:
    """The store at a folder, relative to the working directory, or behind a URI."""
    return StepStore(location if "://" in location else Path(location).absolute(), patience)

"""Leases: who computes a step, so that two drivers on one store never compute the same.

A lease of a step is a small file, ``leases/<kind>/<fingerprint>/<generation>.json``. To create a
file that must not exist is the one act that all stores can do atomically: whoever creates the
first generation has the step, and whoever finds the latest one over creates the next. Of many who
try, one succeeds. The holder rewrites its file all the time. No clock is compared with that of
another machine: a lease is over when it was given back, when its holder is a process of this
machine that is gone, or when *this* process has watched it for ``seconds`` and seen no beat.

A lease saves work. It guards no data: publishing does, and the first result stays.
"""

import os
import platform
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import psutil
from pydantic import BaseModel, ValidationError

from orchestrator.store.files import Files
from orchestrator.store.step_store import Stored, place

LEASES = "leases"

LEASE_SECONDS = 60.0
"""A driver that was not heard of for so long has lost its steps."""

SAME_START_SECONDS = 2.0
"""A process is known by its number and the time of its start, give or take this."""


class LeaseNote(BaseModel, frozen=True):
    """What a lease's file says."""

    holder: str
    """Of one lease alone."""
    machine: str
    """Booted once, and seen from one container; process numbers mean something there alone."""
    host: str
    pid: int
    pid_started: float
    uses: tuple[str, ...] = ()
    """Fingerprints of steps that are read meanwhile, so that nobody removes them."""
    beat: int = 0
    released: bool = False

    def is_of_a_dead_process(self) -> bool:
        """True if its holder ran on this machine and is gone; False where that cannot be known."""
        if self.machine != this_machine():
            return False
        try:
            started = psutil.Process(self.pid).create_time()
        except psutil.NoSuchProcess:
            return True
        return abs(started - self.pid_started) > SAME_START_SECONDS


@cache
def this_machine() -> str:
    """This boot of this machine, as seen from this container."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    if not boot.exists():
        return f"{uuid.getnode():x}"
    return f"{boot.read_text().strip()} {os.readlink('/proc/self/ns/pid')}"


@dataclass
class Lease:
    """A step that this process may compute, as long as it renews this."""

    files: Files
    name: str
    note: LeaseNote

    @property
    def folder(self) -> str:
        """Of all generations of the step's lease."""
        return self.name.rpartition("/")[0]

    def renew(self) -> bool:
        """Let the others hear a beat; False if one of them took the step over meanwhile."""
        if self.files.names(self.folder)[-1:] > [self.name.rpartition("/")[2]]:
            return False
        self.note = self.note.model_copy(update={"beat": self.note.beat + 1})
        self.files.write(self.name, _text(self.note))
        return True

    def release(self, *, done: bool) -> None:
        """Give the step back.

        Args:
            done: It is in the store, where everybody who gets a lease looks again: nothing of this
                one is needed any more. Else the generation stays, so that one of those who wait
                gets the next.
        """
        if done:
            self.files.remove(self.folder)
        else:
            self.note = self.note.model_copy(update={"released": True})
            self.files.write(self.name, _text(self.note))


def _text(note: LeaseNote) -> bytes:
    return note.model_dump_json().encode()


@dataclass(frozen=True)
class _Sight:
    """The last change of a lease that was seen, and when."""

    name: str
    content: bytes
    since: float


class Leases:
    """The leases of a store as one process sees them.

    Args:
        files: Of the store.
        seconds: Without a beat after which a lease is over; the same for all drivers of a store.
        clock: Seconds; its zero does not matter.
    """

    def __init__(
        self,
        files: Files,
        seconds: float = LEASE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files, self._seconds, self._clock = files, seconds, clock
        self._sights: dict[str, _Sight] = {}

    def try_lease(self, step: Stored, uses: Sequence[str] = ()) -> Lease | None:
        """A lease of ``step`` if nobody has one, else None.

        Whoever gets one must look again whether the step is done: it may have been finished, and
        its lease removed, a moment ago.
        """
        folder = f"{LEASES}/{place(step)}"
        latest = (self._files.names(folder) or ["0"])[-1]
        if latest != "0" and not self._is_over(f"{folder}/{latest}"):
            return None
        name = f"{folder}/{int(latest.partition('.')[0]) + 1:06d}.json"
        lease = Lease(self._files, name, _note(uses))
        try:
            return lease if self._files.create(name, _text(lease.note)) else None
        except FileNotFoundError:
            return None  # the folder was just removed, because the step is done

    def is_held(self, step: Stored) -> bool:
        """True if somebody has a lease of ``step``, as far as can be known by now."""
        folder = f"{LEASES}/{place(step)}"
        names = self._files.names(folder)
        return bool(names) and not self._is_over(f"{folder}/{names[-1]}")

    def _is_over(self, name: str) -> bool:
        try:
            content = self._files.read(name)
        except FileNotFoundError:
            return True
        note = parse_note(content)
        if note and (note.released or note.is_of_a_dead_process()):
            return True
        return self._silence(name, content) >= self._seconds

    def _silence(self, name: str, content: bytes) -> float:
        """Seconds since this process saw the lease change."""
        folder, now = name.rpartition("/")[0], self._clock()
        seen = self._sights.get(folder)
        if seen is None or seen != replace(seen, name=name, content=content):
            seen = self._sights[folder] = _Sight(name, content, now)
        return now - seen.since


def parse_note(content: bytes) -> LeaseNote | None:
    """What a lease says; None while it is half written, where a store writes no other way."""
    try:
        return LeaseNote.model_validate_json(content)
    except ValidationError:
        return None


def _note(uses: Sequence[str]) -> LeaseNote:
    process = psutil.Process()
    return LeaseNote(
        holder=uuid.uuid4().hex,
        machine=this_machine(),
        host=platform.node(),
        pid=process.pid,
        pid_started=process.create_time(),
        uses=tuple(uses),
    )


def all_leases(files: Files) -> dict[str, LeaseNote | None]:
    """The latest lease of every step that has one, given back or not, by the name of its file.

    One that is removed while this looks is left out.
    """
    found: dict[str, LeaseNote | None] = {}
    for kind in files.names(LEASES):
        for fingerprint in files.names(f"{LEASES}/{kind}"):
            folder = f"{LEASES}/{kind}/{fingerprint}"
            for latest in files.names(folder)[-1:]:
                with suppress(FileNotFoundError):
                    found[f"{folder}/{latest}"] = parse_note(files.read(f"{folder}/{latest}"))
    return found

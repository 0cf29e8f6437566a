"""Shared memory: every replica of a node lives in one segment, which has no name.

The segment (``memfd_create``) holds the shared parameters and a slot for each language. A worker's
parameters *are* its language's slot, and the driver takes the outer step from the slots on the
shared parameters, so a round copies each language's start once and its end never.

The segment is reached through ``/proc/PID/fd`` of the driver and lies under no path, so when driver
and workers are gone, however they ended, so is it. It does not count against ``/dev/shm``.
"""

import mmap
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from uuid import uuid4

import torch

from orchestrator.transports.base import DriverReduces
from orchestrator.transports.crew import Crew
from trainers.flat import Layout
from trainers.settings import WarmupSettings
from trainers.warmup import LanguageEnd, RoundState, WholeStart

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from orchestrator.actors import Host

NAME = "xlwarm-warmup"
"""Shown by ``/proc/PID/maps``; many segments may have it."""

FLOAT = 4


@dataclass(frozen=True, slots=True)
class Segment:
    """Where a segment is; may be sent to any process of the same user on the same node.

    Args:
        path: Opens it as long as its creator lives.
        key: Distinguishes it from another that later has the same path.
        languages: Whose slots follow the shared parameters, in this order.
        layout: Of each vector.
    """

    path: str
    key: str
    languages: tuple[str, ...]
    layout: Layout

    @property
    def stride(self) -> int:
        """Bytes from one vector to the next, a multiple of the page."""
        return -(-FLOAT * self.layout.size // mmap.PAGESIZE) * mmap.PAGESIZE


class Vectors:
    """A segment in the memory of this process.

    Attributes:
        parameters: Shared by all languages, ``(N,)``.
        slots: By language, ``(N,)`` each.
    """

    def __init__(self, segment: Segment, file: int) -> None:
        stride, count = segment.stride, len(segment.languages)
        size = segment.layout.size
        self.parameters = torch.frombuffer(mmap.mmap(file, stride), dtype=torch.float32)[:size]
        slots = mmap.mmap(file, count * stride, offset=stride)
        self.slots = {
            language: torch.frombuffer(slots, dtype=torch.float32, count=size, offset=k * stride)
            for k, language in enumerate(segment.languages)
        }


@contextmanager
def new_segment(languages: Sequence[str], layout: Layout) -> Iterator[tuple[Segment, Vectors]]:
    """A segment that lasts as long as the context and whoever has opened it."""
    file = os.memfd_create(NAME, os.MFD_CLOEXEC)
    try:
        segment = Segment(path_of(file), uuid4().hex, tuple(languages), layout)
        os.ftruncate(file, (1 + len(languages)) * segment.stride)
        yield segment, Vectors(segment, file)
    finally:
        os.close(file)


@lru_cache(maxsize=1)
def opened(segment: Segment) -> Vectors:
    """``segment`` in the memory of a worker, opened once."""
    file = os.open(segment.path, os.O_RDWR)
    try:
        return Vectors(segment, file)
    finally:
        os.close(file)


def path_of(file: int) -> str:
    """Where another process opens the open file ``file`` of this one."""
    return f"/proc/{os.getpid()}/fd/{file}"


def reaches(_host: "Host", path: str, token: bytes) -> bool:
    """True if a worker reads ``token`` where the driver wrote it."""
    try:
        with open(path, "rb") as file:
            return file.read() == token
    except OSError:
        return False


class SharedMemoryRounds(DriverReduces):
    """Rounds whose parameters and ends lie in one segment of memory."""

    name = "shared-memory"

    def __init__(
        self,
        crew: Crew,
        settings: WarmupSettings,
        segment: Segment,
        vectors: Vectors,
        threads: int = 1,
    ) -> None:
        super().__init__(settings, segment.layout, threads)
        self._crew = crew
        self._segment = segment
        self._vectors = vectors

    def begin(self, state: RoundState) -> None:
        """Move the parameters into the segment, and have every page of it in memory."""
        super().begin(state)
        self._vectors.parameters.copy_(state.parameters)
        state.parameters = self._vectors.parameters
        self._crew.run(touch, lambda language: (self._segment, language))
        for slot in self._vectors.slots.values():
            self.layout.dense_of(slot)[:: mmap.PAGESIZE // FLOAT].sum()

    def ends(self) -> Sequence[LanguageEnd]:
        """Views of the slots; valid until the next round."""
        z = self.state.rounds
        answers = self._crew.run(run_in_slot, lambda language: (self._segment, z, language))
        ends = [self._end(language, *answer) for language, answer in answers.items()]
        self._crew.learn_from(ends)
        return ends

    def _end(
        self, language: str, moved: "NDArray[np.int64]", loss: float, seconds: float
    ) -> LanguageEnd:
        slot, rows = self._vectors.slots[language], torch.tensor(moved)
        table = self.layout.table_of(slot)[rows]
        return LanguageEnd(language, self.layout.dense_of(slot), rows, table, loss, seconds)


def touch(_host: "Host", segment: Segment, language: str) -> None:
    """Write to every page of the dense part of a slot, so that no round waits for the kernel."""
    segment.layout.dense_of(opened(segment).slots[language]).zero_()


def run_in_slot(
    host: "Host", segment: Segment, z: int, language: str
) -> "tuple[NDArray[np.int64], float, float]":
    """K steps of ``language`` that end in its slot.

    Returns:
        Rows of the table that moved, mean loss, seconds.
    """
    vectors, layout, worker = opened(segment), segment.layout, host.worker
    slot = vectors.slots[language]
    if on_cpu := worker.device.type == "cpu":
        worker.live_in(slot)
    end = worker.run_steps(WholeStart(vectors.parameters, layout), z, language)
    if not on_cpu:
        layout.dense_of(slot).copy_(end.dense)
        layout.table_of(slot)[end.rows] = end.table
    return end.rows.numpy(), end.loss, end.seconds

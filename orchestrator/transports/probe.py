"""Which transport a warm-up takes: what the study asks for, or what fits where its workers are."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

from orchestrator.transports import Transport
from orchestrator.transports.collective import CollectiveRounds
from orchestrator.transports.crew import Crew
from orchestrator.transports.object_store import ObjectStoreRounds
from orchestrator.transports.shared_memory import (
    SharedMemoryRounds,
    new_segment,
    path_of,
    reaches,
)
from projection.errors import InputError
from trainers.flat import Layout
from trainers.settings import Deltas, WarmupSettings
from trainers.warmup import Rounds


@contextmanager
def open_rounds(
    crew: Crew,
    settings: WarmupSettings,
    layout: Layout,
    *,
    asked: Transport | None,
    whole_gpus: bool,
    threads: int,
) -> Iterator[Rounds]:
    """Rounds over the transport of :func:`choose`."""
    chosen = choose(asked, settings, lambda: share_memory(crew), whole_gpus=whole_gpus)
    if chosen is Transport.SHARED_MEMORY:
        with new_segment(crew.languages, layout) as (segment, vectors):
            yield SharedMemoryRounds(crew, settings, segment, vectors, threads)
    elif chosen is Transport.COLLECTIVE:
        yield CollectiveRounds(crew, settings, layout)
    else:
        yield ObjectStoreRounds(crew, settings, layout, threads)


def choose(
    asked: Transport | None,
    settings: WarmupSettings,
    share_memory: Callable[[], bool],
    *,
    whole_gpus: bool,
) -> Transport:
    """The fastest transport that works, unless the study asks for one.

    Args:
        asked: ``cluster.warmup_transport``.
        settings: Of the warm-up.
        share_memory: Tries whether all workers reach the driver's memory.
        whole_gpus: True if every worker has a GPU to itself.

    Raises:
        InputError: What was asked for does not work here.
    """
    if settings.deltas is not Deltas.EXACT:
        if asked not in (None, Transport.OBJECT_STORE):
            raise InputError(
                f"warmup.deltas {settings.deltas} travels by the object store only; "
                f"leave out cluster.warmup_transport {asked}, or warmup.deltas"
            )
        return Transport.OBJECT_STORE
    if asked is Transport.SHARED_MEMORY and not share_memory():
        raise InputError(
            "cluster.warmup_transport shared-memory needs all warm-up workers on one Linux node; "
            "leave it out, or ask for object-store"
        )
    if asked is not None:
        return asked
    if share_memory():
        return Transport.SHARED_MEMORY
    return Transport.COLLECTIVE if whole_gpus else Transport.OBJECT_STORE


def share_memory(crew: Crew) -> bool:
    """True if every worker reads what the driver writes into nameless memory."""
    if not hasattr(os, "memfd_create"):
        return False
    file = os.memfd_create("xlwarm-probe", os.MFD_CLOEXEC)
    try:
        token = uuid4().bytes
        os.write(file, token)
        return all(crew.ask_all(reaches, path_of(file), token))
    finally:
        os.close(file)

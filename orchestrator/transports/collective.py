"""Collective: the workers hold the shared parameters and reduce among themselves.

By ``torch.distributed``, NCCL where every worker has a GPU and gloo elsewhere. Each rank owns a
stripe of the dense part: it gets that stripe of every language's end, takes the outer step on it in
the canonical order, in float64, like the driver of the other transports, and sends it to all. So
the bits are the same. The few rows of the table that moved go through Ray, and every rank takes
their outer step for itself.

A group dies with a member. The driver then has the lost worker started again, forms a new group
from the last state that it has collected, and repeats the rounds since; they are pure.
"""

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import ray
import torch
import torch.distributed as dist
from torch import Tensor

from orchestrator.transports.crew import Crew
from orchestrator.transports.object_store import Sent, received, sent, view
from trainers.flat import Layout
from trainers.outer import CHUNK, move_dense, move_table, report_of
from trainers.settings import WarmupSettings
from trainers.warmup import LanguageEnd, RoundReport, RoundState, WholeStart

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from orchestrator.actors import Host

TIMEOUT_SECONDS = 120
"""A member that is not heard of for so long is lost."""

REBUILDS = 5
"""A warm-up forms a new group so often at most."""

T = TypeVar("T")


class GroupBrokenError(RuntimeError):
    """A member of the group is lost, or has been started again and knows nothing."""


LOST = (GroupBrokenError, ray.exceptions.RayActorError)


def stripes(dense: int, ranks: int) -> list[range]:
    """Numbers of the dense part that each rank owns, in whole chunks, as even as can be.

    >>> stripes(3 * CHUNK + 7, 2) == [range(0, 2 * CHUNK), range(2 * CHUNK, 3 * CHUNK + 7)]
    True
    """
    chunks = -(-dense // CHUNK)
    ends = [0, *accumulate(chunks // ranks + (rank < chunks % ranks) for rank in range(ranks))]
    return [range(min(a * CHUNK, dense), min(b * CHUNK, dense)) for a, b in pairwise(ends)]


@dataclass
class Member:
    """What one rank holds between two calls.

    Args:
        state: Whole parameters; moments of its stripe and of the table (others are not kept).
        ends: Of its own languages in the round that is under way, dense part.
    """

    rank: int
    layout: Layout
    settings: WarmupSettings
    state: RoundState
    stripes: Sequence[range]
    ends: dict[str, Tensor]


class CollectiveRounds:
    """Rounds that the workers carry out among themselves; the driver orders them."""

    name = "collective"

    def __init__(self, crew: Crew, settings: WarmupSettings, layout: Layout) -> None:
        self._crew = crew
        self._settings = settings
        self._layout = layout
        self._rebuilds = REBUILDS
        self._collected: RoundState
        self._done = 0

    def begin(self, state: RoundState) -> None:
        """Send ``state`` to all; it stays what a new group would start from."""
        self._collected = state
        self._insist(self._join, done=None)

    def run(self) -> RoundReport:
        """The next round."""
        return self._insist(self._round, done=self._done)

    def collect(self) -> RoundState:
        """The state, put together from the ranks' stripes."""
        return self._insist(self._fetch, done=self._done)

    def _insist(self, act: Callable[[], T], done: int | None) -> T:
        """``act`` after ``done`` rounds, going back to the last state when a member is lost."""
        while True:
            try:
                while done is not None and self._done < done:
                    self._round()
                return act()
            except LOST:
                if not self._rebuilds:
                    raise
                self._rebuilds -= 1
                done = self._collected.rounds if done is None else done
                self._rejoin()

    def _rejoin(self) -> None:
        try:
            self._join()
        except LOST:
            if not self._rebuilds:
                raise
            self._rebuilds -= 1
            self._rejoin()

    def _join(self) -> None:
        state, hosts = self._collected, self._crew.hosts
        vectors = [state.parameters, state.moment1, state.moment2, state.moved]
        shared = [ray.put(vector.numpy()) for vector in vectors]
        where = ray.get(hosts[0].call.remote(meeting_point))
        size = len(hosts)
        ray.get(
            [
                host.call.remote(
                    join, rank, size, where, self._settings, self._layout, state.rounds, *shared
                )
                for rank, host in enumerate(hosts)
            ]
        )
        self._done = state.rounds

    def _round(self) -> RoundReport:
        answers = self._crew.run(take_steps, lambda language: (self._done, language))
        ends = [received(answer) for answer in answers.values()]
        tables, shares = ray.put(list(answers.values())), self._crew.shares
        sums = self._crew.ask_all(exchange, shares, tables)
        self._crew.learn_from(ends)
        self._done += 1
        of_stripes = [view(chunk) for dense, _ in sums for chunk in dense]
        of_table = [view(chunk) for chunk in sums[0][1]]
        return report_of([*of_stripes, *of_table], {end.language: end.loss for end in ends})

    def _fetch(self) -> RoundState:
        """Nothing of the last state changes before all of the new one is here."""
        parts = self._crew.ask_all(fetch_stripe)
        parameters, moved, *tables = ray.get(self._crew.hosts[0].call.remote(fetch_common))
        state = self._collected
        state.parameters.copy_(view(parameters))
        for kind, moment in enumerate((state.moment1, state.moment2)):
            if len(moment):
                for stripe, part in zip(
                    stripes(self._layout.dense, len(self._crew.hosts)), parts, strict=True
                ):
                    moment[stripe.start : stripe.stop] = view(part[kind])
                self._layout.table_of(moment).copy_(view(tables[kind]))
        state.moved = view(moved).clone()
        state.rounds = self._done
        return state


def meeting_point(_host: "Host") -> str:
    """An address of the first rank's node that is free now."""
    address = ray.util.get_node_ip_address()
    with socket.socket() as probe:
        probe.bind((address, 0))
        return f"tcp://{address}:{probe.getsockname()[1]}"


def join(
    host: "Host",
    rank: int,
    size: int,
    where: str,
    settings: WarmupSettings,
    layout: Layout,
    rounds: int,
    parameters: "NDArray[np.float32]",
    moment1: "NDArray[np.float32]",
    moment2: "NDArray[np.float32]",
    moved: "NDArray[np.int64]",
) -> None:
    """Become rank ``rank`` of a group that meets at ``where``, and take the state over."""
    leave(host)
    _listen_like(where)
    device = host.worker.device
    try:
        dist.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            init_method=where,
            rank=rank,
            world_size=size,
            timeout=timedelta(seconds=TIMEOUT_SECONDS),
        )
    except RuntimeError as error:
        raise GroupBrokenError(str(error)) from None
    theta, first, second, rows = (
        view(vector).to(device, copy=True) for vector in (parameters, moment1, moment2, moved)
    )
    state = RoundState(theta, first, second, rounds, rows)
    host.member = Member(rank, layout, settings, state, stripes(layout.dense, size), {})


def leave(host: "Host") -> None:
    """End the group that the host was in, if any."""
    host.member = None
    if dist.is_initialized():
        dist.destroy_process_group()


def _listen_like(where: str) -> None:
    """A cluster that listens on the loopback interface alone has its groups there too."""
    import os

    if where.startswith("tcp://127."):
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"


def _member(host: "Host") -> Member:
    if host.member is None:
        raise GroupBrokenError("this worker was started again and is in no group")
    return host.member


def take_steps(host: "Host", z: int, language: str) -> Sent:
    """K steps of ``language``; the dense part of the end stays here for the exchange."""
    member = _member(host)
    end = host.worker.run_steps(WholeStart(member.state.parameters, member.layout), z, language)
    member.ends[language] = end.dense.clone()
    return sent(replace(end, dense=end.dense[:0]))


def exchange(
    host: "Host", shares: Sequence[Sequence[str]], tables: Sequence[Sent]
) -> "tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]":
    """Swap stripes of the ends, take the outer step on the own one, and send it to all.

    Args:
        host: Of this rank.
        shares: Languages of each rank.
        tables: Of every language, without the dense part.

    Returns:
        What the report needs of the stripe, and of the table.
    """
    member = _member(host)
    state, device = member.state, member.state.parameters.device
    try:
        own = _swap(member, shares)
        ends = [_on(device, received(one), own) for one in sorted(tables)]
        stripe = member.stripes[member.rank]
        dense = move_dense(state, [end.dense for end in ends], member.settings, stripe)
        for rank, part in enumerate(member.stripes):
            dist.broadcast(state.parameters[part.start : part.stop], src=rank)
    except RuntimeError as error:
        raise GroupBrokenError(str(error)) from None
    table = move_table(state, ends, member.settings, member.layout)
    state.rounds += 1
    member.ends.clear()
    return [part.cpu().numpy() for part in dense], [part.cpu().numpy() for part in table]


def _swap(member: Member, shares: Sequence[Sequence[str]]) -> Mapping[str, Tensor]:
    """This rank's stripe of every language's end; each rank sends one language at a time."""
    mine = len(member.stripes[member.rank])
    sizes = [len(stripe) for stripe in member.stripes]
    found: dict[str, Tensor] = {}
    for turn in range(max(len(share) for share in shares)):
        senders = [share[turn] if turn < len(share) else None for share in shares]
        own = senders[member.rank]
        device = member.state.parameters.device
        outgoing = torch.empty(0, device=device) if own is None else member.ends[own]
        incoming = [0 if sender is None else mine for sender in senders]
        parts = torch.empty(sum(incoming), device=device)
        out_sizes = [0] * len(sizes) if own is None else sizes
        dist.all_to_all_single(parts, outgoing, incoming, out_sizes)
        for sender, part in zip(senders, parts.split(incoming), strict=True):
            if sender is not None:
                found[sender] = part
    return found


def _on(device: torch.device, end: LanguageEnd, dense: Mapping[str, Tensor]) -> LanguageEnd:
    return replace(
        end,
        dense=dense[end.language],
        rows=end.rows.to(device),
        table=end.table.to(device),
    )


def fetch_stripe(host: "Host") -> "list[NDArray[np.float32]]":
    """The moments of this rank's stripe."""
    member = _member(host)
    stripe = member.stripes[member.rank]
    moments = (member.state.moment1, member.state.moment2)
    return [moment[stripe.start : stripe.stop].cpu().numpy() for moment in moments]


def fetch_common(host: "Host") -> "list[NDArray[Any]]":
    """What every rank has alike: parameters, rows that moved, moments of the table."""
    member = _member(host)
    state, layout = member.state, member.layout
    moments = [moment for moment in (state.moment1, state.moment2) if len(moment)]
    tables = [layout.table_of(moment) for moment in moments]
    return [each.cpu().numpy() for each in (state.parameters, state.moved, *tables)]

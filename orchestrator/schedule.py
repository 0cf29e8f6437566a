"""Which steps start now, and on which nodes: pure functions on plain records.

Steps come ranked. One that does not fit yet holds back no other, and none holds it back: the first
that has to wait gets a reservation for the moment when enough of what runs will have ended, and
what ranks below it may only fill the gap before (EASY backfilling, Lifka 1995).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from orchestrator.steps.base import Step

HAIR = 1e-9
"""Sums of fractions may be off by so much."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a node has or a part of a step takes: cores, GPUs, bytes of memory."""

    cpus: float = 0.0
    gpus: float = 0.0
    memory: float = 0.0

    def fits(self, room: "Resources") -> bool:
        """True if there is room for this much."""
        return (
            self.cpus <= room.cpus + HAIR
            and self.gpus <= room.gpus + HAIR
            and self.memory <= room.memory + HAIR
        )

    def __sub__(self, other: "Resources") -> "Resources":
        return Resources(self.cpus - other.cpus, self.gpus - other.gpus, self.memory - other.memory)

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(self.cpus + other.cpus, self.gpus + other.gpus, self.memory + other.memory)


Nodes = Mapping[str, Resources]
"""What nodes have, or have left, by their names."""

Demand = tuple[Resources, ...]
"""What a step takes: each part lies on one node, different parts may lie on different ones."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A step that runs: where its parts are, and when it is expected to end."""

    demand: Demand
    nodes: tuple[str, ...]
    """Of each part of ``demand``."""
    ends: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A step that could start."""

    key: str
    demand: Demand
    seconds: float
    """How long it is expected to run."""


def place(demand: Demand, free: Nodes) -> tuple[str, ...] | None:
    """A node for each part, the first that has room; None if they do not all fit.

    >>> place((Resources(2), Resources(1)), {"a": Resources(1), "b": Resources(2)})
    ('b', 'a')
    """
    left, places = dict(free), []
    for part in demand:
        node = next((name for name, room in left.items() if part.fits(room)), None)
        if node is None:
            return None
        left[node] -= part
        places.append(node)
    return tuple(places)


def left_over(nodes: Nodes, seats: Iterable[Seat]) -> Nodes:
    """What ``nodes`` have left beside ``seats``; what lay on a node that is gone counts no more."""
    left = dict(nodes)
    for seat in seats:
        for part, node in zip(seat.demand, seat.nodes, strict=True):
            if node in left:
                left[node] -= part
    return left


def first_opening(demand: Demand, nodes: Nodes, seats: Sequence[Seat], now: float) -> float:
    """When ``demand`` will fit, if ``seats`` end as expected; infinity if it never will."""
    for moment in sorted({now, *(max(seat.ends, now) for seat in seats)}):
        staying = (seat for seat in seats if max(seat.ends, now) > moment)
        if place(demand, left_over(nodes, staying)):
            return moment
    if place(demand, nodes):
        return max((seat.ends for seat in seats), default=now)
    return inf


def choose(
    ranked: Sequence[Candidate], nodes: Nodes, seats: Sequence[Seat], now: float
) -> dict[str, Seat]:
    """Which of ``ranked`` start now and where, by their keys.

    Args:
        ranked: The most urgent first.
        nodes: What there is in all.
        seats: What runs.
        now: On the clock of :attr:`Seat.ends`.
    """
    chosen: dict[str, Seat] = {}
    waiting: Candidate | None = None
    opening = inf
    for candidate in ranked:
        taken = [*seats, *chosen.values()]
        places = place(candidate.demand, left_over(nodes, taken))
        if places is None:
            if waiting is None and place(candidate.demand, nodes):
                waiting = candidate
                opening = first_opening(candidate.demand, nodes, taken, now)
            continue
        seat = Seat(candidate.demand, places, now + candidate.seconds)
        if waiting is None or not _delays(seat, waiting, opening, nodes, taken):
            chosen[candidate.key] = seat
    return chosen


def _delays(
    seat: Seat, waiting: Candidate, opening: float, nodes: Nodes, taken: Sequence[Seat]
) -> bool:
    """True if ``waiting`` could not start at ``opening`` because of ``seat``."""
    if seat.ends <= opening:
        return False
    staying = [one for one in taken if one.ends > opening]
    return place(waiting.demand, left_over(nodes, [*staying, seat])) is None


def rank_by_chain(
    steps: Sequence[Step], seconds: Callable[[Step], float]
) -> dict[str, tuple[float, float]]:
    """How urgent each step is, by fingerprint: the longest chain that begins with it, in seconds,
    then all the work that needs it.

    So a model that serves all targets goes before one that serves a single one where their chains
    are equally long: more tests wait for it, and those fill the cores at the end.

    Args:
        steps: Needed ones before those that need them; what is done may be missing.
        seconds: That a step is expected to take.
    """
    chains = {step.fingerprint: seconds(step) for step in steps}
    behind: dict[str, set[str]] = {step.fingerprint: set() for step in steps}
    costs = dict(chains)
    for step in reversed(steps):
        for needed in step.needs:
            if needed.fingerprint not in costs:
                continue
            through = costs[needed.fingerprint] + chains[step.fingerprint]
            chains[needed.fingerprint] = max(chains[needed.fingerprint], through)
            behind[needed.fingerprint] |= {step.fingerprint, *behind[step.fingerprint]}
    return {key: (chain, sum(costs[one] for one in behind[key])) for key, chain in chains.items()}

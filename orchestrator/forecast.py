"""What a schedule on nodes that need not exist would look like, and where it would wait."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from orchestrator.execute import run_steps
from orchestrator.fingerprints import identity
from orchestrator.schedule import Demand, Nodes, Seat
from orchestrator.simulate import SimulatedLauncher
from orchestrator.steps.base import Step

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Span:
    """A step while it runs, in seconds from the beginning."""

    step: Step
    start: float
    end: float
    seat: Seat


@dataclass(frozen=True)
class Forecast:
    """How a plan would go."""

    nodes: Nodes
    spans: tuple[Span, ...]
    refused: tuple[tuple[Step, str], ...]
    """Steps for which no node has room, and why; what needs them is not computed either."""

    @cached_property
    def makespan(self) -> float:
        """Seconds from the beginning to the last end."""
        return max((span.end for span in self.spans), default=0.0)

    @property
    def what(self) -> str:
        """What is scarce: ``gpus`` where there are any, else ``cpus``."""
        return "gpus" if any(node.gpus for node in self.nodes.values()) else "cpus"

    def capacity(self) -> float:
        """GPUs, or cores where there are none, of all nodes."""
        return float(sum(getattr(node, self.what) for node in self.nodes.values()))

    def used(self, node: str, begin: float, end: float) -> float:
        """Share of a node's GPUs, or cores where it has none, that is busy between two moments."""
        if end <= begin:
            return 0.0
        what = "gpus" if self.nodes[node].gpus else "cpus"
        have = getattr(self.nodes[node], what)
        busy = sum(
            max(0.0, min(span.end, end) - max(span.start, begin)) * _part(span, node, what)
            for span in self.spans
        )
        return float(busy / have / (end - begin))

    def busy_hours(self, what: str) -> float:
        """Hours that ``gpus`` or ``cpus`` are reserved, added up."""
        return (
            sum(
                (span.end - span.start) * _part(span, node, what)
                for span in self.spans
                for node in set(span.seat.nodes)
            )
            / HOUR
        )

    def idle(self) -> dict[tuple[str, ...], float]:
        """Hours of the scarce resource that nothing uses, by the kinds of step that run meanwhile.

        So ``("encode",)`` says how much stands idle because only encoding goes on.
        """
        lost: dict[tuple[str, ...], float] = defaultdict(float)
        for begin, end, running in self._moments():
            taken = sum(_part(one, node, self.what) for one in running for node in self.nodes)
            kinds = tuple(sorted({one.step.kind for one in running}))
            lost[kinds] += (end - begin) * (self.capacity() - taken) / HOUR
        return dict(sorted(lost.items(), key=lambda one: -one[1]))

    def _moments(self) -> Iterator[tuple[float, float, list[Span]]]:
        """Stretches of time in which nothing starts or ends, with what runs."""
        edges = sorted({0.0, *(s.start for s in self.spans), *(s.end for s in self.spans)})
        for begin, end in pairwise(edges):
            running = [s for s in self.spans if s.start <= begin and s.end >= end]
            yield begin, end, running


def _part(span: Span, node: str, what: str) -> float:
    """How much of a node's resource a step has."""
    parts = zip(span.seat.demand, span.seat.nodes, strict=True)
    return float(sum(getattr(part, what) for part, where in parts if where == node))


@dataclass(frozen=True)
class _Assumed:
    """The store of a forecast: some steps are done, and took what they took."""

    done: frozenset[str]
    seconds: Callable[[Step], float]
    demand: Callable[[Step], Demand]
    device: str

    def is_done(self, step: Step) -> bool:
        return step.fingerprint in self.done

    has_result = is_whole = is_done

    def record(self, step: Step) -> Mapping[str, Any]:
        return {
            "kind": step.kind,
            "inputs": identity(step),
            "seconds": self.seconds(step),
            "device": self.device,
            "workers": len(self.demand(step)),
        }


def forecast(
    steps: Sequence[Step],
    done: frozenset[str],
    nodes: Nodes,
    demand: Callable[[Step], Demand],
    seconds: Callable[[Step], float],
    speeds: Mapping[str, float],
) -> Forecast:
    """Run ``steps`` on a clock of its own, by the very policy that runs them on Ray.

    Args:
        steps: Needed ones before those that need them.
        done: Fingerprints of those that need not be computed.
        nodes: What there is.
        demand: What a step takes.
        seconds: How long a step runs on a node of speed 1, with what it costs to start it.
        speeds: Of the nodes.
    """
    launcher = SimulatedLauncher(nodes, demand, seconds, speeds)
    device = "cuda" if any(node.gpus for node in nodes.values()) else "cpu"
    assumed = _Assumed(done, seconds, demand, device)
    outcome = run_steps(steps, assumed, launcher, [], launcher.clock)
    spans = [
        Span(step, launcher.started[key], launcher.ended[key], launcher.seats[key])
        for step in outcome.computed
        for key in (step.fingerprint,)
    ]
    refused = [(step, failure.message) for step, failure in outcome.failed.values()]
    return Forecast(nodes, tuple(spans), tuple(refused))

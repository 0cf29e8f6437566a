"""Steps on nodes that need not exist: how long a plan takes, without computing anything."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from orchestrator.execute import Failure
from orchestrator.fingerprints import Json
from orchestrator.schedule import Demand, Nodes, Seat, left_over, place
from orchestrator.steps.base import Step


class SimulatedLauncher:
    """Ends every step after its time, on a clock of its own.

    Give :func:`~orchestrator.execute.run_steps` its :meth:`clock`; afterwards ``started`` and
    ``ended`` hold the seconds at which each step did so, by fingerprint, and ``seats`` where it
    was.

    Args:
        nodes: What there is.
        demand: What a step takes.
        seconds: How long it runs on a node of speed 1.
        speeds: Of the nodes that are faster or slower; the slowest of its nodes paces a step.
    """

    def __init__(
        self,
        nodes: Nodes,
        demand: Callable[[Step], Demand],
        seconds: Callable[[Step], float],
        speeds: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        self.started: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self.seats: dict[str, Seat] = {}
        self._nodes, self._demand, self._seconds, self._speeds = nodes, demand, seconds, speeds
        self._now = 0.0
        self._running: list[tuple[float, Step]] = []

    def clock(self) -> float:
        """Simulated seconds since the beginning."""
        return self._now

    @property
    def makespan(self) -> float:
        """Seconds from the beginning to the last end."""
        return max(self.ended.values(), default=0.0)

    def nodes(self) -> Nodes:
        """What there is."""
        return self._nodes

    def demand(self, step: Step) -> Demand:
        """What the step takes."""
        return self._demand(step)

    def refusal(self, step: Step) -> str | None:
        """Says so if the step fits no node."""
        if place(self._demand(step), self._nodes):
            return None
        return f"{step.title()} does not fit: {self._demand(step)}"

    def retries(self, step: Step) -> int:
        """Nothing is ever lost."""
        return 0

    def submit(self, step: Step) -> None:
        """Note when the step will end."""
        taken = [self.seats[one.fingerprint] for _, one in self._running]
        demand = self._demand(step)
        nodes = place(demand, left_over(self._nodes, taken))
        assert nodes is not None, f"{step.title()} was started where there is no room"
        pace = min(self._speeds.get(node, 1.0) for node in nodes)
        ends = self._now + self._seconds(step) / pace
        self.started[step.fingerprint] = self._now
        self.seats[step.fingerprint] = Seat(demand, nodes, ends)
        self._running.append((ends, step))

    def stop(self, step: Step) -> None:
        """It ends when it would have."""

    def collect(self, timeout: float) -> Sequence[tuple[Step, Failure | None]]:
        """Let time pass until the next end, however long."""
        if not self._running:
            return []
        self._now = min(ends for ends, _ in self._running)
        ended = [step for ends, step in self._running if ends == self._now]
        self._running = [(ends, step) for ends, step in self._running if ends > self._now]
        self.ended |= {step.fingerprint: self._now for step in ended}
        return [(step, None) for step in ended]

    def states(self) -> Mapping[str, Mapping[str, Json]]:
        """Nothing is reported."""
        return {}

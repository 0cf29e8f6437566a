"""Steps on nodes that need not exist: how long a plan takes, without computing anything."""

from collections.abc import Callable, Mapping, Sequence

from orchestrator.execute import Failure
from orchestrator.fingerprints import Json
from orchestrator.schedule import Demand, Nodes, place
from orchestrator.steps.base import Step


class SimulatedLauncher:
    """Ends every step after its time, on a clock of its own.

    Give :func:`~orchestrator.execute.run_steps` its :meth:`clock`; afterwards ``started`` and
    ``ended`` hold the seconds at which each step did so, by fingerprint.

    Args:
        nodes: What there is.
        demand: What a step takes.
        seconds: How long it runs.
    """

    def __init__(
        self, nodes: Nodes, demand: Callable[[Step], Demand], seconds: Callable[[Step], float]
    ) -> None:
        self.started: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self._nodes, self._demand, self._seconds = nodes, demand, seconds
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
        self.started[step.fingerprint] = self._now
        self._running.append((self._now + self._seconds(step), step))

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

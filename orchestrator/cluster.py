"""Ray: start or join a cluster, and compute steps on it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from orchestrator.execute import Failure, Resources
from orchestrator.fingerprints import Json
from orchestrator.steps.base import Step, Surroundings
from orchestrator.steps.warmup import WarmupStep
from orchestrator.store import StepStore
from orchestrator.study import ClusterSettings
from orchestrator.transports import Transport
from projection.errors import InputError

TASK_RETRIES = 3
"""A step whose process or node dies is started again so often."""


RAY_LOGS = "the logs of Ray (session_latest/logs in its temporary folder)"


@contextmanager
def cluster(address: str | None = None, *, num_cpus: int | None = None) -> Iterator[None]:
    """A connection to the Ray cluster at ``address``, or a cluster of its own on this machine.

    :func:`~orchestrator.environment.prepare_ray` must have been called before Ray was imported.

    Raises:
        InputError: Nobody answers at ``address``.
    """
    settings: dict[str, Any] = {"log_to_driver": False, "namespace": "xlwarm"}
    if address is None:
        settings |= {
            "address": "local",
            "num_cpus": num_cpus,
            "include_dashboard": False,
        }
    else:
        settings |= {"address": address}
    try:
        ray.init(**settings)
    except (ConnectionError, ValueError) as error:
        raise InputError(f"no Ray cluster at {address}: {error}") from None
    try:
        yield
    finally:
        ray.shutdown()


@ray.remote(num_cpus=0)
class Board:
    """Where running steps post what they are at."""

    def __init__(self) -> None:
        self._states: dict[str, Mapping[str, Json]] = {}

    def post(self, fingerprint: str, state: Mapping[str, Json]) -> None:
        """Replace what was known of a step."""
        self._states[fingerprint] = state

    def read(self) -> dict[str, Mapping[str, Json]]:
        """Everything posted so far."""
        return self._states


@dataclass(frozen=True)
class Seat:
    """What a step gets to run on: its own resources, and those of its warm-up workers."""

    cpus: float
    gpus: float
    workers: int = 0
    worker_cpus: float = 0.0
    transport: Transport | None = None

    @property
    def total(self) -> Resources:
        """All of it together."""
        if not self.workers:
            return Resources(self.cpus, self.gpus)
        return Resources(self.workers * self.worker_cpus, self.workers * self.gpus)


@ray.remote(max_retries=TASK_RETRIES)
def _compute(step: Step, root: Path, seat: Seat, board: Any) -> Failure | None:
    import torch

    from orchestrator.actors import RayPool
    from orchestrator.local import attempt

    around = Surroundings(
        store=StepStore(root),
        device=torch.device("cuda" if seat.gpus else "cpu"),
        pool=RayPool(seat.workers, seat.worker_cpus, seat.gpus, seat.transport),
        report=lambda state: board.post.remote(step.fingerprint, state),
    )
    return attempt(step, around)


class RayLauncher:
    """Computes steps as Ray tasks; the cluster must be connected.

    Args:
        root: Of the step store; every node must see it.
        settings: How wide to run.
        threads: CPU threads of a replica, as the study says.

    Raises:
        InputError: No node has as many cores as one replica has threads.
    """

    def __init__(self, root: Path, settings: ClusterSettings, threads: int) -> None:
        self._root = root
        self._settings = settings
        total = ray.cluster_resources()
        self._room = Resources(total.get("CPU", 0.0), total.get("GPU", 0.0))
        widest = max(node["Resources"].get("CPU", 0.0) for node in ray.nodes() if node["Alive"])
        if threads > widest:
            raise InputError(
                f"threads is {threads}, but the widest node of the cluster has {widest:.0f} cores"
            )
        self._board = Board.remote()  # type: ignore[attr-defined]
        self._pending: dict[Any, Step] = {}

    @property
    def room(self) -> Resources:
        """Cores and GPUs of the cluster."""
        return self._room

    def demand(self, step: Step) -> Resources:
        """What the step and its workers take together."""
        return self._seat(step).total

    def _seat(self, step: Step) -> Seat:
        gpus = self._gpus() if step.trains else 0.0
        if not isinstance(step, WarmupStep):
            return Seat(step.cpus, gpus)
        by_cpu = int(self._room.cpus // step.cpus)
        by_gpu = int(self._room.gpus / gpus + 1e-9) if gpus else by_cpu
        fitting = max(1, min(by_cpu, by_gpu))
        workers = min(self._settings.warmup_workers or fitting, len(step.languages))
        # More workers than fit share the cores; fractions must be whole hundredths.
        share = min(float(step.cpus), int(100 * self._room.cpus / workers) / 100)
        return Seat(0, gpus, workers, share, self._settings.warmup_transport)

    def _gpus(self) -> float:
        if not self._room.gpus:
            return 0.0
        asked = self._settings.gpus_per_model
        return 1.0 if asked is None else asked

    def submit(self, step: Step) -> None:
        """Start the step's task; a warm-up's task only leads, its actors have the resources."""
        seat = self._seat(step)
        options = {
            "num_cpus": seat.cpus,
            "num_gpus": 0 if seat.workers else seat.gpus,
            "name": step.title(),
        }
        task = _compute.options(**options).remote(step, self._root, seat, self._board)
        self._pending[task] = step

    def collect(self, timeout: float) -> Sequence[tuple[Step, Failure | None]]:
        """Tasks that ended; one whose process died for good has failed."""
        ready, _ = ray.wait(list(self._pending), num_returns=1, timeout=timeout)
        ended = []
        for task in ready:
            step = self._pending.pop(task)
            try:
                ended.append((step, ray.get(task)))
            except ray.exceptions.RayError as error:
                failure = Failure(f"the process of this step died: {error}", RAY_LOGS)
                ended.append((step, failure))
        return ended

    def states(self) -> Mapping[str, Mapping[str, Json]]:
        """What the board says."""
        states: dict[str, Mapping[str, Json]] = ray.get(self._board.read.remote())
        return states

    def cancel(self) -> None:
        """Stop what still runs; after an interrupt a shared cluster must not go on for nobody."""
        for task in self._pending:
            ray.cancel(task, force=True)

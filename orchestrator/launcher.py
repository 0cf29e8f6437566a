"""Steps as Ray tasks."""

import time
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

import ray
from ray.util.placement_group import (
    get_placement_group,
    placement_group_table,
    remove_placement_group,
)

from orchestrator.allotment import Allotment, allot, measured, refusal
from orchestrator.board import Board
from orchestrator.execute import Failure
from orchestrator.fingerprints import Json
from orchestrator.resources import ResourceSettings
from orchestrator.schedule import Demand, Nodes, Resources
from orchestrator.steps.base import Step, Surroundings
from orchestrator.store import StepStore, StoreRefusedError
from orchestrator.study import ClusterSettings
from orchestrator.transports import Transport

RAY_LOGS = "the logs of Ray (session_latest/logs in its temporary folder)"

LOSSES = (ray.exceptions.RayError, OSError)
"""What ends a step whose input is good: a process, a node or the store went away."""

REFRESH_SECONDS = 5.0
"""Between two looks at which nodes there are."""


def _compute(
    step: Step, store: StepStore, given: Allotment, transport: Transport | None, board: Any
) -> Failure | None:
    import torch

    from orchestrator.actors import RayPool
    from orchestrator.local import attempt

    gpus = given.worker.gpus if given.workers else given.own.gpus
    board.post.remote(step.fingerprint, {})
    around = Surroundings(
        store=store,
        device=torch.device("cuda" if gpus else "cpu"),
        pool=RayPool(given.workers, given.worker, step.fingerprint, transport),
        workers=max(1, given.workers),
        report=lambda state: board.post.remote(step.fingerprint, state),
        wanted=lambda: bool(ray.get(board.wants.remote(step.fingerprint))),
    )
    return attempt(step, around, _is_loss)


def _is_loss(error: Exception) -> bool:
    """True for what another attempt may well survive; an error of an actor's code is none."""
    if isinstance(error, ray.exceptions.RayTaskError):
        return _is_loss(error.cause)
    return isinstance(error, LOSSES) and not isinstance(error, StoreRefusedError)


_in_shared_process = ray.remote(max_retries=0)(_compute)
_in_own_process = ray.remote(max_retries=0, max_calls=1)(_compute)


def needs_own_process(step: Step, given: Allotment) -> bool:
    """True for a probe and for a step on a GPU.

    A probe would also measure what earlier steps of the process left in memory. A process stays on
    the GPU on which it began, and keeps memory there; Ray sees to that only where a function is
    declared with GPUs, not where they are asked for with each call.
    """
    return step.kind == "probe" or given.own.gpus > 0


class RayLauncher:
    """Computes steps as Ray tasks; the cluster must be connected.

    Args:
        store: Every node must see it.
        resources: What the study says of each kind of step.
        settings: What it says of the cluster.
    """

    def __init__(
        self,
        store: StepStore,
        resources: ResourceSettings,
        settings: ClusterSettings | None = None,
    ) -> None:
        self._store = store
        self._resources = resources
        self._settings = settings or ClusterSettings()
        self._board = Board.remote()  # type: ignore[attr-defined]
        self._pending: dict[Any, Step] = {}
        self._states: dict[str, Mapping[str, Json]] = {}
        self._since: dict[str, float] = {}
        self._nodes, self._looked = alive_nodes(), time.monotonic()
        self._largest = dict(self._nodes)
        self._homeless: set[str] = set()
        self._next_look = 0.0

    def nodes(self) -> Nodes:
        """The nodes that are alive."""
        if time.monotonic() - self._looked > REFRESH_SECONDS:
            self._nodes, self._looked = alive_nodes(), time.monotonic()
            self._largest |= self._nodes
        return self._nodes

    def demand(self, step: Step) -> Demand:
        """What the step and its workers take together."""
        return self._allotment(step, self.nodes()).demand

    def refusal(self, step: Step) -> str | None:
        """Why it fits no node that there is or was, and what to do; None if it fits one."""
        asked, found = self._resources.of(step.kind), measured(step, self._store)
        given = self._allotment(step, self._largest)
        return refusal(step, asked, found, given, self._largest)

    def retries(self, step: Step) -> int:
        """What the study says."""
        return self._resources.of(step.kind).retries

    def _allotment(self, step: Step, nodes: Nodes) -> Allotment:
        asked = self._resources.of(step.kind)
        workers = self._settings.warmup_workers
        return allot(step, asked, measured(step, self._store), nodes, workers)

    def submit(self, step: Step) -> None:
        """Start the step's task; a warm-up's task only leads, its actors have the cores."""
        given = self._allotment(step, self.nodes())
        compute = _in_own_process if needs_own_process(step, given) else _in_shared_process
        task = compute.options(
            num_cpus=given.own.cpus,
            num_gpus=given.own.gpus,
            memory=given.own.memory or None,
            name=step.title(),
        ).remote(step, self._store, given, self._settings.warmup_transport, self._board)
        self._pending[task] = step

    def stop(self, step: Step) -> None:
        """A training looks at the board now and then; nothing is lost of a warm-up, either."""
        task = next(task for task, one in self._pending.items() if one == step)
        if step.kind == "finetune" and step.fingerprint in self._states:
            self._board.dismiss.remote(step.fingerprint)
        else:
            ray.cancel(task, force=True)

    def collect(self, timeout: float) -> Sequence[tuple[Step, Failure | None]]:
        """Tasks that ended, were lost, or took longer than the study allows."""
        if not self._pending:
            time.sleep(timeout)
            return []
        ready, _ = ray.wait(list(self._pending), num_returns=1, timeout=timeout)
        self._states = ray.get(self._board.read.remote())
        ended = [(self._pending[task], self._result(task)) for task in ready]
        running = {task: step for task, step in self._pending.items() if task not in ready}
        ended += [(step, self._end(task)) for task, step in self._overdue(running)]
        ended += [(step, self._strand(task)) for task, step in self._stranded(running)]
        for step, failure in ended:
            self._forget(step, failure)
        return ended

    def _result(self, task: Any) -> Failure | None:
        try:
            failure: Failure | None = ray.get(task)
        except ray.exceptions.RayError as error:
            message = f"the process of this step died: {_first_line(error)}"
            return Failure(message, RAY_LOGS, lost=True)
        return failure

    def _overdue(self, running: Mapping[Any, Step]) -> list[tuple[Any, Step]]:
        now = time.monotonic()
        for step in running.values():
            if step.fingerprint in self._states:
                self._since.setdefault(step.fingerprint, now)
        return [
            (task, step)
            for task, step in running.items()
            if now - self._since.get(step.fingerprint, now) > 60 * self._minutes(step)
        ]

    def _minutes(self, step: Step) -> float:
        minutes = self._resources.of(step.kind).timeout_minutes
        return inf if minutes is None else minutes

    def _end(self, task: Any) -> Failure:
        step = self._pending[task]
        ray.cancel(task, force=True)
        return Failure(
            f"not done after {self._minutes(step):g} minutes; if it needs longer, raise "
            f"resources.{step.kind}.timeout_minutes",
            RAY_LOGS,
        )

    def _stranded(self, running: Mapping[Any, Step]) -> list[tuple[Any, Step]]:
        """Warm-ups that lost a node and for whose workers Ray has looked in vain for a while."""
        if time.monotonic() < self._next_look:
            return []
        self._next_look = time.monotonic() + REFRESH_SECONDS
        before, self._homeless = (
            self._homeless,
            {
                step.fingerprint
                for step in running.values()
                if step.kind == "warmup" and _lacks_room(step.fingerprint)
            },
        )
        both = before & self._homeless
        return [(task, step) for task, step in running.items() if step.fingerprint in both]

    def _strand(self, task: Any) -> Failure:
        ray.cancel(task, force=True)
        message = "a node of its workers died, and no other has room for them"
        return Failure(message, RAY_LOGS, lost=True)

    def _forget(self, step: Step, failure: Failure | None) -> None:
        key = step.fingerprint
        self._pending = {task: one for task, one in self._pending.items() if one.fingerprint != key}
        self._since.pop(key, None)
        self._states.pop(key, None)
        self._board.drop.remote(key)
        if failure is not None:
            _free_placement_group(key)

    def states(self) -> Mapping[str, Mapping[str, Json]]:
        """What the board said when steps were last collected."""
        return self._states

    def cancel(self) -> None:
        """Stop what still runs; after an interrupt a shared cluster must not go on for nobody."""
        for task, step in self._pending.items():
            ray.cancel(task, force=True)
            _free_placement_group(step.fingerprint)


def alive_nodes() -> dict[str, Resources]:
    """Cores, GPUs and memory of the cluster's nodes, as Ray counts them, by node id."""
    return {
        node["NodeID"]: Resources(
            node["Resources"].get("CPU", 0.0),
            node["Resources"].get("GPU", 0.0),
            node["Resources"].get("memory", 0.0),
        )
        for node in ray.nodes()
        if node["Alive"]
    }


def _free_placement_group(name: str) -> None:
    """Remove what a lost warm-up had reserved: Ray keeps it for as long as the driver lives."""
    try:
        remove_placement_group(get_placement_group(name))
    except ValueError:
        return


def _lacks_room(name: str) -> bool:
    """True if Ray looks for room for a placement group that had some."""
    try:
        group = get_placement_group(name)
    except ValueError:
        return False
    return str(placement_group_table(group)["state"]) == "RESCHEDULING"


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]

"""Ray actors of the warm-up: thin, sticky hosts around language workers (DESIGN §5)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ray
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from orchestrator.schedule import Resources
from orchestrator.steps.base import WarmupJob
from orchestrator.transports import Transport
from orchestrator.transports.crew import Crew
from orchestrator.transports.probe import open_rounds

if TYPE_CHECKING:
    from orchestrator.transports.collective import Member
    from trainers.flat import Layout
    from trainers.warmup import Rounds

RESTARTS = 3
"""A lost actor is started again so often; it repeats the lost call, which is pure."""


class Host:
    """Builds its worker where it runs, so no model is ever pickled.

    Attributes:
        worker: Of any of the warm-up's languages.
        member: Of a group of workers, where the transport forms one.
    """

    def __init__(self, job: WarmupJob) -> None:
        self.worker = job.worker()
        self.member: Member | None = None

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """``function(self, *arguments)``; what a transport does beside the worker."""
        return function(self, *arguments)


LanguageHost = ray.remote(max_restarts=RESTARTS, max_task_retries=RESTARTS)(Host)


@dataclass(frozen=True)
class RayPool:
    """Starts the hosts of one warm-up together or not at all, so that two never starve each other.

    Args:
        workers: Hosts at most; languages are packed onto them.
        each: What each of them is given.
        name: Of the placement group, so that whoever started the step can remove what is left of it
            after the step was killed.
        transport: That the study asks for; None for the one that fits.
    """

    workers: int
    each: Resources
    name: str
    transport: Transport | None = None

    @contextmanager
    def __call__(self, job: WarmupJob, layout: "Layout") -> "Iterator[Rounds]":
        """Rounds of ``job`` as long as the context lasts."""
        count = min(self.workers, len(job.languages))
        wanted = {"CPU": self.each.cpus, "GPU": self.each.gpus, "memory": self.each.memory}
        bundle = {what: amount for what, amount in wanted.items() if amount}
        group = placement_group([bundle] * count, strategy="PACK", name=self.name)
        try:
            ray.get(group.ready())
            crew = Crew([self._host(group, index, job) for index in range(count)], job.costs())
            with open_rounds(
                crew,
                job.settings,
                layout,
                asked=self.transport,
                whole_gpus=self.each.gpus >= 1,
                threads=max(1, round(count * self.each.cpus)),
            ) as rounds:
                yield rounds
        finally:
            remove_placement_group(group)

    def _host(self, group: Any, index: int, job: WarmupJob) -> Any:
        return LanguageHost.options(
            num_cpus=self.each.cpus,
            num_gpus=self.each.gpus,
            memory=self.each.memory or None,
            scheduling_strategy=PlacementGroupSchedulingStrategy(
                group, placement_group_bundle_index=index
            ),
        ).remote(job)

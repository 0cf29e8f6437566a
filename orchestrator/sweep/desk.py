"""What Tune's trials are on the cluster: coordinators that hold nothing and train nothing.

A trial asks a desk for its next report and waits. The driver computes the steps of the trial like
those of any study, each with the resources of its own, and puts the reports on the desk. So nothing
is captured by a trial's placement group, and who waits for a warm-up keeps no core and no GPU.
"""

import asyncio
from typing import Any

import ray
from ray import tune

from orchestrator.cluster import NAMESPACE

Report = dict[str, Any]
"""What Tune is told of a trial: the metric, ``step``, and ``done``."""


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)
class Desk:
    """Reports by trial, in order. It may be lost with its node: it starts empty."""

    def __init__(self) -> None:
        self._reports: dict[str, list[Report]] = {}
        self._news = asyncio.Condition()

    async def put(self, trial: str, reports: list[Report]) -> None:
        """Replace what is known of a trial by something longer."""
        async with self._news:
            self._reports[trial] = reports
            self._news.notify_all()

    async def report(self, trial: str, place: int) -> Report:
        """The report at ``place``, as soon as there is one."""
        async with self._news:
            await self._news.wait_for(lambda: len(self._reports.get(trial, ())) > place)
            return self._reports[trial][place]

    async def forget(self, trial: str) -> None:
        """The trial has ended."""
        self._reports.pop(trial, None)


class Coordinator(tune.Trainable):
    """Passes the reports of one trial on to Tune; may be reused for the next trial."""

    def setup(self, config: dict[str, Any]) -> None:
        """See :class:`ray.tune.Trainable`."""
        self._desk = ray.get_actor(config["desk"], namespace=NAMESPACE)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """See :class:`ray.tune.Trainable`; nothing is kept of the trial before."""
        return True

    def step(self) -> Report:
        """The next report, however long that takes."""
        asked: Any = self._desk.report.remote(self.trial_id, self.iteration)
        return dict(ray.get(asked))

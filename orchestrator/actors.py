"""Ray actors of the warm-up: thin, sticky hosts around language workers (DESIGN §5)."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ray
import torch
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from orchestrator.schedule import Resources
from orchestrator.steps.base import BuildWorker
from trainers.warmup import LanguageEnd

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from trainers.warmup import RunRound

RESTARTS = 3
"""A lost actor is started again so often; it repeats the lost round, which is pure."""

HostedEnd = tuple[str, "NDArray[np.float32]", float]


@ray.remote(max_restarts=RESTARTS, max_task_retries=RESTARTS)
class LanguageHost:
    """Builds its worker where it runs, so no model is ever pickled."""

    def __init__(self, build: BuildWorker, languages: Sequence[str]) -> None:
        self._languages = languages
        self._worker = build(languages)

    def run_steps(self, parameters: "NDArray[np.float32]", z: int) -> list[HostedEnd]:
        """K steps for every language that it holds, from ``parameters`` ``(N,)``."""
        start = torch.tensor(parameters)  # the object store's array is read-only
        ends = self._worker.run_steps(start, z, self._languages)
        return [(end.language, end.parameters.numpy(), end.loss) for end in ends]


@dataclass(frozen=True)
class RayPool:
    """Starts the hosts of one warm-up together or not at all, so that two never starve each other.

    Args:
        workers: Hosts at most; languages are dealt out among them.
        each: What each of them is given.
        name: Of the placement group, so that whoever started the step can remove what is left of it
            after the step was killed.
    """

    workers: int
    each: Resources
    name: str

    @contextmanager
    def __call__(self, build: BuildWorker, languages: Sequence[str]) -> "Iterator[RunRound]":
        """Hosts for ``languages`` as long as the context lasts."""
        shares = deal_out(languages, self.workers)
        wanted = {"CPU": self.each.cpus, "GPU": self.each.gpus, "memory": self.each.memory}
        bundle = {what: amount for what, amount in wanted.items() if amount}
        group = placement_group([bundle] * len(shares), strategy="PACK", name=self.name)
        try:
            ray.get(group.ready())
            hosts = [self._host(group, index, build, share) for index, share in enumerate(shares)]
            yield lambda parameters, z: _run_round(hosts, parameters, z)
        finally:
            remove_placement_group(group)

    def _host(self, group: Any, index: int, build: BuildWorker, share: Sequence[str]) -> Any:
        return LanguageHost.options(  # type: ignore[attr-defined]
            num_cpus=self.each.cpus,
            num_gpus=self.each.gpus,
            memory=self.each.memory or None,
            scheduling_strategy=PlacementGroupSchedulingStrategy(
                group, placement_group_bundle_index=index
            ),
        ).remote(build, share)


def deal_out(languages: Sequence[str], workers: int) -> list[list[str]]:
    """Languages of each worker, as even as can be; no worker is left without.

    >>> deal_out(["de", "es", "nl"], 2)
    [['de', 'nl'], ['es']]
    """
    count = min(workers, len(languages))
    return [list(languages[index::count]) for index in range(count)]


def _run_round(hosts: Sequence[Any], parameters: "Tensor", z: int) -> list[LanguageEnd]:
    """One put of the parameters for all hosts, launch all, then collect."""
    shared = ray.put(parameters.numpy())
    pending = [host.run_steps.remote(shared, z) for host in hosts]
    return [
        LanguageEnd(language, _read_only_tensor(end), loss)
        for hosted in ray.get(pending)
        for language, end, loss in hosted
    ]


def _read_only_tensor(array: "NDArray[np.float32]") -> "Tensor":
    """A view of an array in the object store; nobody writes to it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)

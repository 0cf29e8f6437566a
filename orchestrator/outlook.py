"""A plan, what its store says of it, and how it would go on a cluster."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from orchestrator.allotment import Allotment, allot, measured
from orchestrator.cluster_file import GIB, ClusterFile, NodeKind
from orchestrator.costs import Costs, Estimate
from orchestrator.forecast import Forecast, forecast
from orchestrator.plan import Plan
from orchestrator.reuse import at_hand
from orchestrator.schedule import Nodes
from orchestrator.sharing import Shared, critical_path, sharing
from orchestrator.steps.base import Step
from orchestrator.store import StepStore
from orchestrator.store.inventory import records

GPU_DRIVERS = ("/dev/nvidiactl", "/dev/nvmap", "/dev/kfd", "/dev/dxg")
"""Where Linux shows a driver: NVIDIA's, its Jetsons', AMD's, or that of Windows under WSL."""


@dataclass(frozen=True)
class Outlook:
    """What is shared, what is done, what the rest costs."""

    plan: Plan
    store: StepStore
    known: Sequence[Mapping[str, Any]] | None = None
    """Records of the store, where somebody has read them already."""

    @cached_property
    def done(self) -> frozenset[str]:
        """Fingerprints of the steps that need not be computed."""
        return frozenset(step.fingerprint for step in at_hand(self.plan.steps, self.store))

    def is_done(self, step: Step) -> bool:
        """True if ``step`` need not be computed."""
        return step.fingerprint in self.done

    @cached_property
    def shared(self) -> list[Shared]:
        """By kind: asked for, distinct, done."""
        return sharing(self.plan, self.is_done)

    def models(self) -> tuple[int, int]:
        """Models asked for (strategies x languages x seeds), and distinct ones."""
        asked = sum(len(spec.evaluations) for spec in self.plan.specs)
        return asked, len({spec.model.fingerprint for spec in self.plan.specs})

    @cached_property
    def _records(self) -> Sequence[Mapping[str, Any]]:
        return list(records(self.store)) if self.known is None else self.known

    @cached_property
    def costs(self) -> Costs:
        """On cores, by every step of the store."""
        return Costs(self._records)

    @cached_property
    def gpu_costs(self) -> Costs:
        """On GPUs."""
        return Costs(self._records, gpu=True)

    def left(self, kind: str) -> list[Estimate]:
        """On cores, of the steps of a kind that are to be computed."""
        return [
            self.costs.of(step)
            for step in self.plan.steps
            if step.kind == kind and not self.is_done(step)
        ]

    def seconds(self, step: Step) -> float:
        """That a step still takes on one core; 0 if it is done."""
        return 0.0 if self.is_done(step) else self.costs.of(step).seconds

    def longest_chain(self) -> list[Step]:
        """The steps that would take longest if there were room for everything at once."""
        return critical_path(self.plan, self.seconds)

    def on(self, cluster: ClusterFile) -> Forecast:
        """How the plan would go on the nodes of ``cluster``."""
        nodes = cluster.all_nodes()
        given = self._allotments(nodes)

        def seconds(step: Step) -> float:
            allotment = given(step)
            gpus = allotment.worker.gpus if allotment.workers else allotment.own.gpus
            costs = self.gpu_costs if gpus else self.costs
            overhead = cluster.gpu_overhead_seconds if gpus else cluster.overhead_seconds
            return overhead + costs.of(step, max(1, allotment.workers)).seconds

        return forecast(
            self.plan.steps,
            self.done,
            nodes,
            lambda step: given(step).demand,
            cache(seconds),
            cluster.speeds(),
        )

    def _allotments(self, nodes: Nodes) -> Callable[[Step], Allotment]:
        study = self.plan.study

        @cache
        def given(step: Step) -> Allotment:
            asked, found = study.resources.of(step.kind), measured(step, self.store)
            return allot(step, asked, found, nodes, study.cluster.warmup_workers)

        return given


def this_machine() -> ClusterFile:
    """The machine that asks, as a cluster of one node."""
    import psutil

    here = NodeKind(
        name="here",
        cpus=os.cpu_count() or 1,
        gpus=_gpus_here(),
        memory_gib=psutil.virtual_memory().total / GIB,
    )
    return ClusterFile(nodes=(here,))


def _gpus_here() -> int:
    """That torch can use; without a driver there is none, and torch need not be imported."""
    if sys.platform == "linux" and not any(Path(device).exists() for device in GPU_DRIVERS):
        return 0
    import torch

    return torch.cuda.device_count()

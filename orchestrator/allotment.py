"""What a step is given to run on: asked for by the study, measured by a probe, or usual."""

from dataclasses import dataclass
from math import floor

from orchestrator.resources import StepResources
from orchestrator.schedule import Demand, Nodes, Resources, place
from orchestrator.steps.base import Step
from orchestrator.steps.evaluate import EvaluateStep
from orchestrator.steps.joint import JointStep
from orchestrator.steps.model import ModelStep
from orchestrator.steps.warmup import WarmupStep
from orchestrator.store import StepStore

GIB = 2**30

MARGIN = 1.05
"""Two processes that do the same differ by some per cent of memory."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Bytes that a replica took when it was probed; zeros where nothing was measured."""

    process: float = 0.0
    gpu: float = 0.0
    gpu_total: float = 0.0
    """Of the GPU on which it was."""


def measured(step: Step, store: StepStore) -> Measured:
    """What the probe of ``step`` found."""
    model = step.model if isinstance(step, EvaluateStep) else step
    if not isinstance(model, ModelStep) or model.probe is None or not store.is_done(model.probe):
        return Measured()
    found = store.outputs(model.probe)
    use = "evaluate" if isinstance(step, EvaluateStep | JointStep) else "train"
    share = MARGIN * model.replicas
    return Measured(share * found[use], share * found[f"gpu_{use}"], found["gpu_total"])


@dataclass(frozen=True, slots=True)
class Allotment:
    """What a step is given."""

    own: Resources
    """For its own process."""
    workers: int = 0
    """Of a warm-up."""
    worker: Resources = Resources()
    """For each of them."""

    @property
    def demand(self) -> Demand:
        """All of it, by what must lie on one node."""
        return (self.own,) if not self.workers else (*(self.worker,) * self.workers, self.own)


def allot(
    step: Step, asked: StepResources, found: Measured, nodes: Nodes, most_workers: int | None = None
) -> Allotment:
    """What ``step`` is given on a cluster of ``nodes``.

    A warm-up gets as many workers as fit, one a language at most. If it is told how many and they
    do not fit, they share the cores.

    Args:
        step: Its threads and whether it runs a model are what it usually takes.
        asked: What the study says, which goes before all else.
        found: By its probe.
        nodes: All there are.
        most_workers: What the study says of the workers of a warm-up.
    """
    cpus = step.cpus if asked.cpus is None else asked.cpus
    memory = found.process if asked.memory_gib is None else asked.memory_gib * GIB
    each = Resources(cpus, _gpus(step, asked, nodes), floor(memory))
    if not isinstance(step, WarmupStep):
        return Allotment(each)
    lead = Resources(memory=each.memory)
    languages = len(step.languages)
    wanted = languages if most_workers is None else min(most_workers, languages)
    fitting = max(
        (n for n in range(1, wanted + 1) if place((*(each,) * n, lead), nodes)), default=1
    )
    if most_workers is None or fitting == wanted:
        return Allotment(lead, fitting, each)
    cores = sum(node.cpus for node in nodes.values())
    share = min(cpus, floor(100 * cores / wanted) / 100)  # Ray knows hundredths of a core
    return Allotment(lead, wanted, Resources(share, each.gpus, each.memory))


def _gpus(step: Step, asked: StepResources, nodes: Nodes) -> float:
    if asked.gpus is not None:
        return asked.gpus
    return 1.0 if step.trains and any(node.gpus for node in nodes.values()) else 0.0


def refusal(
    step: Step, asked: StepResources, found: Measured, given: Allotment, nodes: Nodes
) -> str | None:
    """Why ``step`` cannot run on ``nodes`` even alone, and what to do about it; None if it can."""
    key = f"resources.{step.kind}"
    share = given.worker.gpus or given.own.gpus
    if 0 < share < 1 and found.gpu > share * found.gpu_total:
        return (
            f"{key}.gpus is {share:g}, of a GPU of {_gib(found.gpu_total)}, but a replica was "
            f"measured to need {_gib(found.gpu)}; give it {_next_share(found):g}, or lower "
            "training.batch_size or backbone.max_pieces"
        )
    if place(given.demand, nodes):
        return None
    part = given.worker if given.workers else given.own
    lacks = [
        f"{need:g} {what}, the best node has {best:g}"
        for what, need, best in (
            ("cores", part.cpus, max((n.cpus for n in nodes.values()), default=0)),
            ("GPUs", part.gpus, max((n.gpus for n in nodes.values()), default=0)),
        )
        if need > best
    ]
    best = max((node.memory for node in nodes.values()), default=0.0)
    if part.memory > best:
        source = "measured" if asked.memory_gib is None else f"{key}.memory_gib"
        lacks.append(f"{_gib(part.memory)} of memory ({source}), the best node offers {_gib(best)}")
    wanted = "; ".join(lacks) or "more than all nodes have together"
    return (
        f"not even one fits: it needs {wanted}. Lower threads, training.batch_size or "
        f"backbone.max_pieces, set {key}, or add a larger node"
    )


def _gib(size: float) -> str:
    return f"{size / GIB:.2f} GiB"


def _next_share(found: Measured) -> float:
    return min(1.0, (floor(100 * found.gpu / found.gpu_total) + 1) / 100)

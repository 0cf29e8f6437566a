"""Forecasts of `xlwarm plan --cluster` against real runs of the same steps on Ray.

The steps of a study (two seeds of all strategies on three languages) only sleep, for times that
differ from step to step, so that clusters of more cores and GPUs than this machine has can be
checked: Ray's cores and GPUs are logical. What it costs to start a step is measured first, on the
same cluster. Prints forecast and measured makespan; exits with 1 if one is off by more than 15 %.

    python -m benchmarks.plan_accuracy [--gpus]    # some minutes, with little work for the cores
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from orchestrator.environment import prepare_ray

prepare_ray(None)

from orchestrator.allotment import Measured, allot  # noqa: E402
from orchestrator.execute import run_steps  # noqa: E402
from orchestrator.forecast import forecast  # noqa: E402
from orchestrator.resources import ResourceSettings  # noqa: E402
from orchestrator.schedule import Demand, Nodes  # noqa: E402
from orchestrator.steps.base import Step, Surroundings  # noqa: E402
from orchestrator.store import StepStore  # noqa: E402

TOLERANCE = 0.15
CHAIN = 3
"""Steps, one after the other, by which the cost of starting one is measured."""

LANGUAGES, SEEDS = ("de", "es", "nl"), (1, 2)

CLUSTERS: dict[str, list[dict[str, float]]] = {
    "1 node, 4 cores": [{"num_cpus": 4}],
    "1 node, 8 cores": [{"num_cpus": 8}],
    "3 nodes, 4, 2 and 2 cores": [{"num_cpus": cpus} for cpus in (4, 2, 2)],
}
GPU_CLUSTERS: dict[str, list[dict[str, float]]] = {
    "2 nodes, 4 cores and 2 GPUs each": [{"num_cpus": 4, "num_gpus": 2}] * 2,
    "3 nodes, 3 cores each and 3, 2 and 1 GPUs": [
        {"num_cpus": 3, "num_gpus": gpus} for gpus in (3, 2, 1)
    ],
}
"""Each step on a GPU starts a process, which takes 4 s of a real core: for machines with many."""


@dataclass(frozen=True, kw_only=True)
class Sleep(Step):
    """Takes its time and a core, or a GPU where there are any."""

    kind: ClassVar[str] = "project"
    name: str
    after: tuple[Step, ...] = ()
    seconds: float

    def title(self) -> str:
        return self.name

    def run(self, folder: Path, around: Surroundings) -> dict[str, Any]:
        time.sleep(self.seconds)
        return {}


class Encode(Sleep):
    kind: ClassVar[str] = "encode"


class Model(Sleep):
    kind: ClassVar[str] = "finetune"

    @property
    def trains(self) -> bool:
        return True


class WarmUp(Model):
    kind: ClassVar[str] = "warmup"


class Test(Model):
    kind: ClassVar[str] = "evaluate"


def study() -> list[Step]:
    """The steps of all five strategies, needed ones first; times are drawn once for all."""
    random = Random(1)
    projected = tuple(Sleep(name=f"project {one}", seconds=1.0) for one in LANGUAGES)
    encode = Encode(name="encode", after=projected, seconds=2.0)
    steps: list[Step] = [*projected, encode]
    for seed in SEEDS:
        warm = WarmUp(name=f"warm up {seed}", after=(encode,), seconds=6.0)
        steps.append(warm)
        for name in ("zero-shot", "multilingual", "mtl-ws"):
            after = (encode, warm) if name == "mtl-ws" else (encode,)
            steps += _model(f"{name} {seed}", after, LANGUAGES, random)
        for name in ("target-only", "bilingual"):
            for language in LANGUAGES:
                steps += _model(f"{name} {language} {seed}", (encode,), (language,), random)
    return steps


def _model(
    name: str, after: tuple[Step, ...], languages: Sequence[str], random: Random
) -> Iterator[Step]:
    model = Model(name=f"train {name}", after=after, seconds=random.uniform(4, 8))
    yield model
    for language in languages:
        seconds = random.uniform(0.5, 1.5)
        yield Test(name=f"test {name} on {language}", after=(model,), seconds=seconds)


@contextmanager
def ray_nodes(nodes: Sequence[dict[str, float]]) -> Iterator[None]:
    """Several Ray nodes on this machine."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        for node in nodes:
            cluster.add_node(**node, include_dashboard=False)
        ray.init(address=cluster.address, log_to_driver=False)
        yield
    finally:
        ray.shutdown()
        cluster.shutdown()


def measured_overhead(store: StepStore, kind: "type[Sleep]", width: int, seconds: float) -> float:
    """Seconds that a step takes beyond its own while ``width`` run at once.

    Steps on GPUs get a new process each; those on cores share processes, which start before. Ray
    starts processes ahead while steps run, so how long they run counts, too.
    """
    _run([kind(name=f"start a process {k}", seconds=5.0) for k in range(width)], store)
    chains: list[Step] = []
    for k in range(width):
        last: tuple[Step, ...] = ()
        for place in range(CHAIN):
            step = kind(name=f"measure {k} {place}", after=last, seconds=seconds)
            chains.append(step)
            last = (step,)
    begin = time.monotonic()
    _run(chains, store)
    return (time.monotonic() - begin) / CHAIN - seconds


def _run(steps: Sequence[Step], store: StepStore) -> None:
    from orchestrator.launcher import RayLauncher

    outcome = run_steps(steps, store, RayLauncher(store, ResourceSettings()), [])
    assert not outcome.failed, outcome.failed


def forecast_of(steps: Sequence[Step], nodes: Nodes, overhead: float, on_gpus: float) -> float:
    """Makespan by the simulator, with what it costs to start a step on cores and on GPUs."""

    def demand(step: Step) -> Demand:
        return allot(step, ResourceSettings().of(step.kind), Measured(), nodes).demand

    def seconds(step: Step) -> float:
        assert isinstance(step, Sleep)
        return step.seconds + (on_gpus if demand(step)[0].gpus else overhead)

    return forecast(steps, frozenset(), nodes, demand, seconds, {}).makespan


def compare(nodes: Sequence[dict[str, float]]) -> tuple[float, float, float, float]:
    """Overhead of a step on cores and on GPUs, forecast and measured makespan, in seconds."""
    from orchestrator.launcher import alive_nodes

    steps = study()
    with tempfile.TemporaryDirectory() as folder, ray_nodes(nodes):
        store = StepStore(Path(folder))
        cores, gpus = (
            int(sum(node.get(what, 0) for node in nodes)) for what in ("num_cpus", "num_gpus")
        )
        overhead = measured_overhead(store, Sleep, cores, 2.0)
        on_gpus = measured_overhead(store, Model, gpus, 6.0) if gpus else 0.0
        expected = forecast_of(steps, alive_nodes(), overhead, on_gpus)
        begin = time.monotonic()
        _run(steps, store)
        return overhead, on_gpus, expected, time.monotonic() - begin


def main() -> None:
    from rich.console import Console
    from rich.table import Table

    steps = study()
    work = sum(step.seconds for step in steps if isinstance(step, Sleep))
    table = Table(title=f"{len(steps)} sleeping steps, {work:.0f} s of work")
    for column in (
        "cluster",
        "start of a step, s",
        "on a GPU, s",
        "forecast, s",
        "measured, s",
        "off by",
    ):
        table.add_column(column, justify="left" if column == "cluster" else "right")
    worst = 0.0
    clusters = CLUSTERS | (GPU_CLUSTERS if "--gpus" in sys.argv[1:] else {})
    for name, nodes in clusters.items():
        overhead, on_gpus, expected, found = compare(nodes)
        off = expected / found - 1
        worst = max(worst, abs(off))
        print(f"{name}: {expected:.1f} s forecast, {found:.1f} s measured", flush=True)
        seconds = (f"{one:.1f}" for one in (overhead, on_gpus, expected, found))
        table.add_row(name, *seconds, f"{off:+.1%}")
    Console().print(table)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores at the end")
    sys.exit(int(worst > TOLERANCE))


if __name__ == "__main__":
    main()

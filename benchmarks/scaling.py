"""How a warm-up round scales with workers and languages when the local work is 1 s a language.

The K steps are a sleep, the GPUs are Ray's word for them: eight logical ones on whatever machine
this is, so everything but the training is real: actors, placement group, transport, reduction. The
vector is that of a six-layer encoder with its vocabulary trimmed (N = 12 M). Prints

* parallel efficiency, T(1) / (W x T(W)), of L = 8 languages on W = 1, 2, 4, 8 workers;
* for W = 8 and L = 8, 16, 32, 64: seconds a round beside the L / 8 that the sleeps alone take.

    python -m benchmarks.scaling [SECONDS]        (of local work; 1 if left out)
"""

import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

import torch

from orchestrator.environment import prepare_ray
from trainers.flat import Layout
from trainers.warmup import LanguageEnd, RoundState, WarmupSettings

GPUS = 8
ROUNDS = 4
"""The first also starts processes and touches memory; the median of the others is reported."""
LAYOUT = Layout(dense=10_700_000, rows=3_000, width=384)
TOUCHED = 500
"""Rows of the table that the batches of a round touch."""


class Sleeper:
    """Moves every parameter by one after a nap, in place of the K steps of Eq. 8."""

    def __init__(self, seconds: float) -> None:
        self.layout, self.device = LAYOUT, torch.device("cpu")
        self._seconds = seconds
        self._replica = torch.zeros(LAYOUT.size)

    def live_in(self, vector: torch.Tensor) -> None:
        self._replica = vector

    def run_steps(self, start, z, language, residual=None) -> LanguageEnd:
        begin = time.perf_counter()
        dense, table = LAYOUT.dense_of(self._replica), LAYOUT.table_of(self._replica)
        torch.add(start.dense, 1.0, out=dense)
        rows = torch.arange(TOUCHED)
        table[rows] = start.rows(rows) + 1.0
        time.sleep(max(0.0, self._seconds - (time.perf_counter() - begin)))
        seconds = time.perf_counter() - begin
        return LanguageEnd(language, dense, rows, table[rows], 0.0, seconds, None)


@dataclass(frozen=True)
class SleepJob:
    """A warm-up of sleepers."""

    settings: WarmupSettings
    languages: tuple[str, ...]
    seconds: float

    def worker(self) -> Sleeper:
        torch.set_num_threads(1)
        return Sleeper(self.seconds)

    def costs(self) -> Mapping[str, float]:
        return dict.fromkeys(self.languages, self.seconds)


def round_seconds(workers: int, languages: int, seconds: float) -> float:
    """Median time of a round; what came out is checked."""
    from orchestrator.actors import RayPool
    from orchestrator.schedule import Resources

    settings = WarmupSettings(rounds=ROUNDS, outer_optimizer="sgd", outer_lr=0.5)
    names = tuple(f"l{number:02}" for number in range(languages))
    pool = RayPool(workers, Resources(0, 1), f"scaling {uuid4()}")
    times = []
    with pool(SleepJob(settings, names, seconds), LAYOUT) as rounds:
        rounds.begin(RoundState.start(torch.zeros(LAYOUT.size), settings.outer_optimizer))
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            rounds.run()
            times.append(time.perf_counter() - begin)
        found = rounds.collect().parameters
    assert float(found[0]) == float(found[LAYOUT.dense]) == 0.5 * ROUNDS
    return statistics.median(times[1:])


def main(seconds: float) -> None:
    prepare_ray(None)
    import ray
    from rich.console import Console
    from rich.table import Table

    ray.init("local", num_cpus=GPUS, num_gpus=GPUS, include_dashboard=False, log_to_driver=False)
    console = Console()
    console.print(
        f"N = {LAYOUT.size:,}, {seconds:g} s of local work a language, {ROUNDS - 1} rounds"
    )
    table = Table("workers", "languages", "s/round", "sleeps alone", "efficiency")
    alone = None
    for workers in (1, 2, 4, 8):
        took = round_seconds(workers, 8, seconds)
        alone = alone or took
        ideal = seconds * 8 / workers
        table.add_row(
            str(workers), "8", f"{took:.3f}", f"{ideal:.3f}", f"{alone / workers / took:.3f}"
        )
    for languages in (16, 32, 64):
        took = round_seconds(8, languages, seconds)
        ideal = seconds * languages / 8
        table.add_row("8", str(languages), f"{took:.3f}", f"{ideal:.3f}", f"{ideal / took:.3f}")
    console.print(table)
    ray.shutdown()


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)

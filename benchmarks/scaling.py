"""How a warm-up round scales with workers and languages when the local work is 1 s a language.

The K steps are a sleep, the GPUs are Ray's word for them: eight logical ones on whatever machine
this is, so everything but the training is real: actors, placement group, transport, reduction. All
copies and the reduction share the machine's real cores, so N decides how much there is to hide: 12
million is a six-layer encoder with its vocabulary trimmed. Prints

* parallel efficiency, T(1) / (W x T(W)), of L = 8 languages on W = 1, 2, 4, 8 workers;
* for W = 8 and L = 16, 32, 64: seconds a round beside the L / 8 that the sleeps alone take, and the
  efficiency against L / 8 rounds of 8 languages on one worker.

    python -m benchmarks.scaling [SECONDS [MILLIONS]]      (local work, N; 1 and 12 if left out)
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
from trainers.settings import WarmupSettings
from trainers.warmup import LanguageEnd, RoundState

GPUS = 8
ROUNDS = 4
"""The first also starts processes and touches memory; the median of the others is reported."""
ROWS, WIDTH = 1_000, 384
TOUCHED = 500
"""Rows of the table that the batches of a round touch."""


class Sleeper:
    """Moves every parameter by one after a nap, in place of the K steps of Eq. 8."""

    def __init__(self, seconds: float, layout: Layout) -> None:
        self.layout, self.device = layout, torch.device("cpu")
        self._seconds = seconds
        self._replica = torch.zeros(layout.size)

    def live_in(self, vector: torch.Tensor) -> None:
        self._replica = vector

    def run_steps(self, start, z, language, residual=None) -> LanguageEnd:
        begin = time.perf_counter()
        dense, table = self.layout.dense_of(self._replica), self.layout.table_of(self._replica)
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
    layout: Layout

    def worker(self) -> Sleeper:
        torch.set_num_threads(1)
        return Sleeper(self.seconds, self.layout)

    def costs(self) -> Mapping[str, float]:
        return dict.fromkeys(self.languages, self.seconds)


def round_seconds(workers: int, languages: int, seconds: float, layout: Layout) -> float:
    """Median time of a round; what came out is checked."""
    from orchestrator.actors import RayPool
    from orchestrator.schedule import Resources

    settings = WarmupSettings(rounds=ROUNDS, outer_optimizer="sgd", outer_lr=0.5)
    names = tuple(f"l{number:02}" for number in range(languages))
    pool = RayPool(workers, Resources(0, 1), f"scaling {uuid4()}")
    times = []
    with pool(SleepJob(settings, names, seconds, layout), layout) as rounds:
        rounds.begin(RoundState.start(torch.zeros(layout.size), settings.outer_optimizer))
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            rounds.run()
            times.append(time.perf_counter() - begin)
        found = rounds.collect().parameters
    assert float(found[0]) == float(found[layout.dense]) == 0.5 * ROUNDS
    return statistics.median(times[1:])


def main(seconds: float, millions: float) -> None:
    layout = Layout(int(millions * 1e6) - ROWS * WIDTH, ROWS, WIDTH)
    prepare_ray(None)
    import ray

    ray.init("local", num_cpus=GPUS, num_gpus=GPUS, include_dashboard=False, log_to_driver=False)
    print(f"N = {layout.size:,}, {seconds:g} s of local work a language, {ROUNDS - 1} rounds")
    print("workers  languages   s/round  sleeps alone  efficiency")
    alone = None
    for workers, languages in ((1, 8), (2, 8), (4, 8), (8, 8), (8, 16), (8, 32), (8, 64)):
        took = round_seconds(workers, languages, seconds, layout)
        alone = alone or took
        efficiency = alone * languages / 8 / workers / took
        ideal = seconds * languages / workers
        print(
            f"{workers:7} {languages:10} {took:9.3f} {ideal:13.3f} {efficiency:11.3f}", flush=True
        )
    ray.shutdown()


if __name__ == "__main__":
    given = [float(one) for one in sys.argv[1:]]
    main(*given, *(1.0, 12.0)[len(given) :])

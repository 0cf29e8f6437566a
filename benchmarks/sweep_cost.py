"""What a sweep costs: the paper's grid with and without sharing, each trial's overhead, memory.

    python -m benchmarks.sweep_cost grid        # 48 trials (Z x K x learning rate), one store
    python -m benchmarks.sweep_cost alone       # the same 48 trials, each by itself (an hour)
    python -m benchmarks.sweep_cost sampled     # as alone, but every fourth trial: each Z x K once
    python -m benchmarks.sweep_cost overhead    # trials of two training steps: seconds beside those
    python -m benchmarks.sweep_cost memory      # 500 random trials: the driver's memory

A tiny backbone (3 layers of 16) on two dozen sentences of the embedded corpus, so what is measured
is everything but training. Gradient steps do not depend on the machine: `grid` must execute at most
an eighth of the warm-up steps of `alone`, and exits with 1 if it does not.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from orchestrator.environment import prepare_ray, prepare_tune

prepare_ray(None)
prepare_tune()

import psutil  # noqa: E402
from rich.console import Console  # noqa: E402

from orchestrator.cluster import cluster  # noqa: E402
from orchestrator.execute import run_steps  # noqa: E402
from orchestrator.launcher import RayLauncher  # noqa: E402
from orchestrator.store import StepStore  # noqa: E402
from orchestrator.study_file import read_study  # noqa: E402
from orchestrator.sweep.driver import SweepWork  # noqa: E402
from orchestrator.sweep.live import saved  # noqa: E402
from orchestrator.sweep.points import grid  # noqa: E402
from orchestrator.sweep.records import Trial, TrialState  # noqa: E402
from orchestrator.sweep.trials import TrialPlanner, gradient_steps, steps_of  # noqa: E402
from tests.studies import write_study  # noqa: E402
from tests.tiny import build_tiny_bert  # noqa: E402

GOAL = 8.0
"""Times fewer warm-up steps."""

PAPER_GRID = {
    "warmup.rounds": [50, 75, 100],
    "warmup.steps": [5, 10, 20, 30],
    "training.learning_rate": [5e-4, 1e-5, 2e-5, 5e-5],
}
RATES = {"training.learning_rate": {"log-uniform": [1e-5, 1e-2]}}
SHORT = {"learning_rate": 1e-3, "batch_size": 8, "steps": 2, "select_after": 0, "evaluate_every": 2}


def study_in(folder: Path, **settings: Any) -> Any:
    """The tiny study with some settings."""
    backbone = build_tiny_bert(folder / "bert")
    return read_study(write_study(folder, backbone, **settings))


def random_sweep(trials: int, **settings: Any) -> dict[str, Any]:
    """Zero-shot trials of two training steps."""
    block = {"parameters": RATES, "strategy": "zero-shot", "searcher": "random", "trials": trials}
    return {"training": SHORT, "sweep": block | settings}


def searched(study: Any, folder: Path, noted: Any = lambda _trial: None) -> tuple[Any, float]:
    """Search until the end; the trials, and the seconds that it took."""
    work = SweepWork.of(study, StepStore(folder / "store"))
    began = time.perf_counter()
    work.search(noted, Console(quiet=True))
    return work.records.trials(), time.perf_counter() - began


def measure_grid(folder: Path) -> int:
    trials, seconds = searched(study_in(folder, sweep={"parameters": PAPER_GRID}), folder)
    executed, alone = saved(trials)
    done = sum(one.state is TrialState.FINISHED for one in trials)
    fewer = alone.warmup / executed.warmup
    print(f"{done} of {len(trials)} trials finished in {seconds:.0f} s")
    print(f"warm-up steps a language: {executed.warmup} instead of {alone.warmup}, {fewer:.1f}x")
    print(f"fine-tuning steps: {executed.finetune} of {alone.finetune}")
    print(f"compute time of all steps: {sum(one.seconds for one in trials):.0f} s")
    return 0 if fewer >= GOAL else 1


def measure_alone(folder: Path, every: int = 1) -> int:
    """Each trial by itself, or every so many; the last parameter, the rate, changes fastest."""
    study = study_in(folder, sweep={"parameters": PAPER_GRID})
    chosen = list(grid(study.sweep.parameters))[::every]
    planner, began, warmup = TrialPlanner(study), time.perf_counter(), 0
    for number, settings in enumerate(chosen):
        store = StepStore(folder / f"alone-{number}")
        steps = steps_of(planner.models(settings))
        run_steps(steps, store, RayLauncher(store, study.resources), [])
        warmup += sum(gradient_steps(step).warmup for step in steps)
    seconds = time.perf_counter() - began
    print(f"{len(chosen)} trials alone: {warmup} warm-up steps a language, {seconds:.0f} s")
    if every > 1:
        print(f"{every * len(chosen)} trials by that: {every * warmup}, {every * seconds:.0f} s")
    return 0


def measure_sampled(folder: Path) -> int:
    return measure_alone(folder, every=len(PAPER_GRID["training.learning_rate"]))


def measure_overhead(folder: Path) -> int:
    trials, seconds = searched(study_in(folder, **random_sweep(48, concurrency=4)), folder)
    ended = sorted(_seconds_of_day(one) for one in trials)
    compute = sum(one.seconds for one in trials)
    steady = [later - earlier for earlier, later in pairwise(ended)][8:]
    print(f"{len(trials)} trials, {compute / len(trials):.2f} s of training each: {seconds:.1f} s")
    print(f"wall time a trial beyond training: {(seconds - compute / 2) / len(trials):.2f} s")
    print(
        f"... without the first 8, where processes start: {sum(steady) / len(steady):.2f} s a trial"
    )
    return 0


def _seconds_of_day(trial: Trial) -> float:
    from datetime import datetime

    return datetime.fromisoformat(trial.ended).timestamp()


def measure_memory(folder: Path, count: int = 500) -> int:
    process, sizes = psutil.Process(), []

    def noted(trial: Trial) -> None:
        if trial.state is TrialState.FINISHED:
            sizes.append(process.memory_info().rss / 2**20)

    began = time.perf_counter()
    searched(study_in(folder, **random_sweep(count, concurrency=4)), folder, noted)
    print(f"{len(sizes)} trials in {time.perf_counter() - began:.0f} s")
    for number in (*range(50, len(sizes), 50), len(sizes)):
        print(f"driver after {number:4} trials: {sizes[number - 1]:.0f} MiB")
    return 0


MEASURES = {
    "grid": measure_grid,
    "alone": measure_alone,
    "sampled": measure_sampled,
    "overhead": measure_overhead,
    "memory": measure_memory,
}


def main(names: Sequence[str]) -> int:
    """Each measure in turn, on one Ray cluster; exit code 1 if the goal is missed."""
    missed = 0
    with cluster(num_cpus=2):
        for name in names or sorted(MEASURES.keys() - {"alone"}):
            with tempfile.TemporaryDirectory() as folder:
                missed |= MEASURES[name](Path(folder))
    return missed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

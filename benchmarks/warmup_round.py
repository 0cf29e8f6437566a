"""One round of the warm-up without its training: what moving and averaging parameters costs.

Local work is the same small addition everywhere. Side by side in one run: xlwarm by each of its
transports, Flower's simulation engine (FedAvg), torch.distributed's gloo all-reduce between as many
processes, and the floor: the memory traffic of the shared-memory round as plain copies. xlwarm,
Flower, gloo and the floor are processes of their own and take turns; the table has medians.

    python -m benchmarks.warmup_round [--numbers N ...] [--languages L ...] [--flower PYTHON]

``PYTHON`` is an interpreter with `flwr[simulation]==1.41.0`, which pins another Ray.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

FLOWER = Path(__file__).with_name("flower_round.py")
ADDED = 1024
"""Numbers that a language's local work adds 1 to."""
TRANSPORTS = ("shared-memory", "object-store", "collective")
SPARSE = "shared-memory, sparse"
MULTILINGUAL_BERT = (177_262_848, 119_547, 768)
"""Parameters, word pieces and width of bert-base-multilingual-cased, without its pooler."""
TOUCHED = 1_000
"""Rows of the embedding that a language's batches of a round touch: 40 sentences of 25 pieces."""
CORES = 2
FLOAT = 4


@dataclass(frozen=True)
class Case:
    """What is measured."""

    numbers: int
    languages: int
    rounds: int
    rows: int = 0
    width: int = 1


@dataclass(frozen=True)
class AddJob:
    """Languages whose local work is next to nothing."""

    case: Case
    outer: str

    @property
    def languages(self):
        return tuple(f"l{number:02}" for number in range(self.case.languages))

    @property
    def settings(self):
        from trainers.settings import WarmupSettings

        return WarmupSettings(rounds=10**6, outer_lr=1.0, outer_optimizer=self.outer)

    @property
    def layout(self):
        from trainers.flat import Layout

        table = self.case.rows * self.case.width
        return Layout(self.case.numbers - table, self.case.rows, self.case.width)

    def worker(self):
        return AddWorker(self.layout)

    def costs(self):
        return dict.fromkeys(self.languages, 1.0)


class AddWorker:
    def __init__(self, layout):
        import torch

        torch.set_num_threads(1)
        self.layout, self.device = layout, torch.device("cpu")
        self._replica = None

    def live_in(self, vector):
        self._replica = vector

    def run_steps(self, start, z, language, residual=None):
        import torch

        from trainers.warmup import LanguageEnd

        if self._replica is None:
            self._replica = torch.zeros(self.layout.size)
        draw = torch.Generator().manual_seed(z + 1000 * int(language[1:]))
        rows = torch.randint(max(1, self.layout.rows), (TOUCHED,), generator=draw).unique()
        rows = rows[: self.layout.rows]
        dense, table = self.layout.dense_of(self._replica), self.layout.table_of(self._replica)
        dense.copy_(start.dense)
        table[rows] = start.rows(rows)
        dense[:ADDED] += 1
        return LanguageEnd(language, dense, rows, table[rows], 0.0, 1.0)


def measure_xlwarm(transports, case, outer="sgd"):
    """By transport: seconds a round through Ray, and how far the driver's own memory grows."""
    from orchestrator.environment import prepare_ray

    prepare_ray(None)
    import torch

    from orchestrator.actors import RayPool
    from orchestrator.cluster import cluster
    from orchestrator.schedule import Resources
    from orchestrator.transports import Transport
    from trainers.warmup import RoundState

    torch.set_num_threads(1)
    job = AddJob(case, outer)
    workers = min(case.languages, 4)
    each = Resources(int(100 * CORES / workers) / 100)
    found = {}
    with cluster(num_cpus=CORES):
        for transport in transports:
            pool = RayPool(workers, each, transport, Transport(transport))
            with PrivateMemory() as memory, pool(job, job.layout) as rounds:
                state = RoundState.start(torch.zeros(case.numbers), outer)
                rounds.begin(state)
                seconds = timed(rounds.run, case.rounds)
                first = rounds.collect().parameters[0].item()
                assert outer != "sgd" or first == case.rounds + 1, first
            found[transport] = {"seconds": seconds, "driver_bytes": memory.grown}
            del state
    return found


class PrivateMemory:
    """How far the private memory of this process grows at most; what it shares is not counted."""

    def __enter__(self):
        self._before, self.grown, self._over = private_bytes(), 0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self):
        while not self._over.wait(0.02):
            self.grown = max(self.grown, private_bytes() - self._before)

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


def private_bytes():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def timed(run, rounds):
    """Seconds of each of ``rounds`` rounds, after one that is not counted."""
    run()
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return seconds


def measure_gloo(case):
    """All-reduce of one vector a process, and the division that makes a mean of it."""
    ranks = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.warmup_round", "--rank", str(rank), *as_words(case)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"GLOO_SOCKET_IFNAME": "lo"},
        )
        for rank in range(case.languages)
    ]
    outputs = [rank.communicate()[0] for rank in ranks]
    assert all(rank.returncode == 0 for rank in ranks), "a rank failed"
    return json.loads(outputs[0])


def run_rank(rank, case):
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method="tcp://127.0.0.1:29511", rank=rank, world_size=case.languages
    )
    vector = torch.zeros(case.numbers)

    def one_round():
        vector[:ADDED] += 1
        dist.all_reduce(vector)
        vector.div_(case.languages)

    with PrivateMemory() as memory:
        seconds = timed(one_round, case.rounds)
    assert vector[0].item() == case.rounds + 1
    if rank == 0:
        print(json.dumps({"seconds": seconds, "driver_bytes": memory.grown + FLOAT * case.numbers}))
    dist.destroy_process_group()


def measure_floor(case):
    """Every language copies its start; the outer step reads L + 1 vectors and writes one."""
    from concurrent.futures import ThreadPoolExecutor

    import torch

    torch.set_num_threads(1)
    source, target = torch.ones(case.numbers), torch.zeros(case.numbers)
    halves = list(zip(source.chunk(CORES), target.chunk(CORES), strict=True))
    copies = case.languages + (case.languages + 2) / 2

    def copy(pair):
        start, end = pair
        for _ in range(int(copies)):
            end.copy_(start)
        part = int(len(end) * (copies - int(copies)))
        end[:part].copy_(start[:part])

    with ThreadPoolExecutor(CORES) as pool:
        seconds = timed(lambda: list(pool.map(copy, halves)), case.rounds)
    return {"seconds": seconds, "driver_bytes": 0}


def measure_flower(python, case):
    if python is None:
        return {"skipped": "no --flower"}
    words = [python, str(FLOWER), str(case.numbers), str(case.languages), str(case.rounds)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"skipped": f"failed: {done.stderr.strip().splitlines()[-1][:80]}"}
    return json.loads(done.stdout.splitlines()[-1])


def as_words(case):
    return [str(number) for number in vars(case).values()]


def in_own_process(system, case, outer="sgd"):
    """A measurement of this program in a fresh process."""
    words = [sys.executable, "-m", "benchmarks.warmup_round", "--one", system, outer]
    done = subprocess.run([*words, *as_words(case)], capture_output=True, text=True, check=False)
    if done.returncode:
        skipped = {"skipped": f"failed: {done.stderr.strip().splitlines()[-1][:80]}"}
        return dict.fromkeys(TRANSPORTS, skipped) if system == "xlwarm" else skipped
    return json.loads(done.stdout.splitlines()[-1])


def needed_bytes(system, case):
    """What a measurement takes, roughly, on top of the processes themselves."""
    vectors = {
        "flower": 5 * case.languages,
        "gloo": 2 * case.languages,
        "xlwarm": 2 * case.languages + 8,
        "floor": 2,
    }.get(system, case.languages + 3)
    return FLOAT * case.numbers * vectors


def fits(system, case):
    import psutil

    free, needed = psutil.virtual_memory().available, needed_bytes(system, case)
    if needed <= 0.8 * free:
        return None
    skipped = {"skipped": f"needs about {needed / 2**30:.0f} GiB, {free / 2**30:.0f} are free"}
    return dict.fromkeys(TRANSPORTS, skipped) if system == "xlwarm" else skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--numbers", type=int, nargs="*", default=[33_000_000, 110_000_000])
    parser.add_argument("--languages", type=int, nargs="*", default=[3, 12])
    parser.add_argument("--rounds", type=int, default=4, help="measured in each process")
    parser.add_argument("--repeats", type=int, default=3, help="processes of each system")
    parser.add_argument("--flower", help="interpreter that has flwr")
    parser.add_argument("--no-sparse", action="store_true", help="leave the mBERT table out")
    parser.add_argument("--rank", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("case", type=int, nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rank is not None:
        run_rank(options.rank, Case(*options.case))
    elif options.one:
        print(json.dumps(measure(*options.one, Case(*options.case))))
    else:
        compare(options)


def measure(system, outer, case):
    if system == "floor":
        return measure_floor(case)
    if system == "gloo":
        return measure_gloo(case)
    if system == "xlwarm":
        return measure_xlwarm(TRANSPORTS, case, outer)
    return measure_xlwarm([system], case, outer)[system]


def compare(options):
    print(f"load before: {os.getloadavg()}", flush=True)
    systems = {name: partial(in_own_process, name) for name in ("xlwarm", "gloo", "floor")}
    systems["flower"] = partial(measure_flower, options.flower)
    for numbers in options.numbers:
        for languages in options.languages:
            case = Case(numbers, languages, options.rounds)
            show(f"{numbers:,} numbers, {languages} languages", take_turns(systems, case, options))
    if not options.no_sparse:
        compare_sparse(options)
    adam = Case(options.numbers[0], options.languages[-1], 1)
    grown = in_own_process("shared-memory", adam, "adam")["driver_bytes"] / FLOAT / adam.numbers
    print(f"driver with Adam, {adam.languages} languages: {grown:.2f} vectors of its own")
    print(f"load after: {os.getloadavg()}", flush=True)


def compare_sparse(options):
    numbers, rows, width = MULTILINGUAL_BERT
    dense = Case(numbers, 3, options.rounds)
    sparse = Case(numbers, 3, options.rounds, rows, width)
    systems = {
        "shared-memory": partial(in_own_process, "shared-memory"),
        SPARSE: lambda _: in_own_process("shared-memory", sparse),
        "floor": partial(in_own_process, "floor"),
    }
    show("multilingual BERT untrimmed, 3 languages", take_turns(systems, dense, options))


def take_turns(systems, case, options):
    """All measurements of each system, after the case."""
    found = {}
    for _ in range(options.repeats):
        for name, measure_system in systems.items():
            one = fits(name, case) or measure_system(case)
            for part, measurement in one.items() if name == "xlwarm" else [(name, one)]:
                found.setdefault(part, []).append(measurement)
    return {name: (case, each) for name, each in found.items()}


def show(title, found):
    from rich.console import Console
    from rich.table import Table

    medians = {
        name: median([s for one in each for s in one["seconds"]])
        for name, (_, each) in found.items()
        if all("seconds" in one for one in each)
    }
    table = Table(title=title, title_justify="left")
    for column in ("", "s a round", "least", "x floor", "Flower / it", "driver, vectors"):
        table.add_column(column, justify="right")
    for name, (case, each) in found.items():
        if name not in medians:
            table.add_row(name, next(one["skipped"] for one in each if "skipped" in one))
            continue
        least = min(s for one in each for s in one["seconds"])
        vectors = max(one["driver_bytes"] for one in each) / FLOAT / case.numbers
        ratio = f"{medians['flower'] / medians[name]:.1f}" if "flower" in medians else "-"
        table.add_row(
            name,
            f"{medians[name]:.3f}",
            f"{least:.3f}",
            f"{medians[name] / medians['floor']:.2f}",
            ratio,
            f"{vectors:.2f}",
        )
    Console(width=110).print(table)
    print(f"load: {os.getloadavg()}", flush=True)


if __name__ == "__main__":
    main()

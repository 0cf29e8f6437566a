"""Speed and memory of projection, on the CoNLL-2003 training set and its German translation.

Every part runs in a process of its own, so that peak memory is its own; the two fast_aligns take
turns. Needs CoNLL-2003 and its translations as in Easy-Label-Projection's data; not part of xlwarm.

    python -m benchmarks.projection_throughput FOLDER
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from projection.aligners import AlignmentSettings, PharaohFile, make_aligner
from projection.columns import read_columns
from projection.mapping import MAPPINGS
from projection.parallel import ParallelCorpus, read_translation
from projection.project import project_corpus

LABELS = ("PER", "LOC", "ORG", "MISC")
BACKBONE, LAYERS = "bundled:multilingual-e5-small", 6
EMBEDDED_PAIRS = 2_000
REPEATS = 3
TRANSLATED = "conll-translated/en2de/DeepL.fast_align.train"
SOURCE, TRANSLATION = "conll-2col/en/en.conll.train.tsv.gz", f"{TRANSLATED}.tsv.gz"
LINKS = f"{TRANSLATED}.grow_diag_final-and.talp.gz"

Figures = dict[str, float]


def read(folder: Path) -> ParallelCorpus:
    source = read_columns(folder / SOURCE, "en", labels=LABELS).corpus
    return read_translation(source, folder / TRANSLATION, "de")


def mapping(folder: Path) -> Figures:
    """Seconds to read the files, then to map with each named mapping (best of three)."""
    started = time.perf_counter()
    corpus = read(folder)
    links = PharaohFile(folder / LINKS).align(corpus)
    figures = {"pairs": len(corpus.pairs), "reading": time.perf_counter() - started}
    for name, settings in MAPPINGS.items():
        seconds = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            project_corpus(corpus, links, settings)
            seconds.append(time.perf_counter() - started)
        figures[name] = min(seconds)
    return figures


def _aligned(name: str) -> Callable[[Path], Figures]:
    def align(folder: Path) -> Figures:
        corpus = read(folder)
        started = time.perf_counter()
        make_aligner(name, AlignmentSettings()).align(corpus)
        return {"pairs": len(corpus.pairs), name: time.perf_counter() - started}

    return align


def embedding(folder: Path) -> Figures:
    """Word vectors of six layers, itermax; two threads."""
    import torch

    from trainers.backbones import resolve_checkpoint
    from trainers.word_vectors import WordEncoder

    torch.set_num_threads(2)
    corpus = read(folder)
    some = ParallelCorpus("de", corpus.pairs[:EMBEDDED_PAIRS], corpus.num_blocks)
    embed = WordEncoder(resolve_checkpoint(BACKBONE), LAYERS, torch.device("cpu"))
    started = time.perf_counter()
    make_aligner("embedding", AlignmentSettings(layer=LAYERS), embed=embed).align(some)
    return {"pairs": len(some.pairs), "embedding": time.perf_counter() - started}


def store(folder: Path) -> Figures:
    """The project step of a study, planned, performed and read; then once more."""
    with tempfile.TemporaryDirectory() as place:
        return {
            "first": _step(folder, Path(place)),
            "second": _step(folder, Path(place)),
        }


def _step(folder: Path, place: Path) -> float:
    import torch

    from orchestrator.local import in_process_pool
    from orchestrator.steps.base import Surroundings, perform
    from orchestrator.steps.project import SENTENCES, ProjectStep
    from orchestrator.steps.sources import InputFile, Source
    from orchestrator.store import StepStore
    from projection.corpora import Format
    from projection.jsonl import read_sentences

    started = time.perf_counter()
    source = InputFile.at(folder / SOURCE)
    step = ProjectStep(
        language="de",
        source=Source(files=(source,), language="en", form=Format.COLUMNS, labels=LABELS),
        translation=InputFile.at(folder / TRANSLATION),
        links=None,
        aligner="fast_align",
        alignment=AlignmentSettings(),
        parallel_text=(),
        mapping=MAPPINGS["best"],
        encoder_hash=None,
        encoder=None,
    )
    steps = StepStore(place)
    perform(step, Surroundings(store=steps, device=torch.device("cpu"), pool=in_process_pool))
    read_sentences(steps.folder(step) / SENTENCES)
    return time.perf_counter() - started


PARTS: dict[str, Callable[[Path], Figures]] = {
    "mapping": mapping,
    "fast_align": _aligned("fast_align"),
    "systran": _aligned("systran"),
    "embedding": embedding,
    "store": store,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="with conll-2col/ and conll-translated/")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        figures = PARTS[arguments.part](arguments.folder)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(figures | {"MiB": peak}))
    else:
        _report(arguments.folder)


def _report(folder: Path) -> None:
    _report_mapping(_measured("mapping", folder))
    names = ("fast_align", "systran")
    turns = [{name: _measured(name, folder) for name in names} for _ in range(REPEATS)]
    ours, theirs = (min(turn[name][name] for turn in turns) for name in names)
    peaks = " and ".join(f"{turns[0][name]['MiB']:.0f}" for name in names)
    print(
        f"fast_align {ours:.1f} s, systran-align {theirs:.1f} s, ratio {ours / theirs:.2f}; "
        f"{peaks} MiB"
    )
    found = _measured("embedding", folder)
    rate = found["pairs"] / found["embedding"]
    print(f"embedding, {LAYERS} layers: {rate:.0f} pairs/s, {found['MiB']:.0f} MiB")
    found = _measured("store", folder)
    print(f"project step {found['first']:.1f} s, again from the store {found['second']:.2f} s")


def _report_mapping(found: Figures) -> None:
    pairs, reading = found["pairs"], found["reading"]
    print(f"reading {pairs:,.0f} pairs and their links: {reading:.2f} s, {found['MiB']:.0f} MiB")
    for name in MAPPINGS:
        rate, share = pairs / found[name], found[name] / reading
        print(f"{name}: {found[name]:.2f} s, {rate:,.0f} sentences/s, {share:.2f} x reading")


def _measured(part: str, folder: Path) -> Figures:
    command = [sys.executable, "-m", "benchmarks.projection_throughput", str(folder)]
    done = subprocess.run([*command, "--part", part], capture_output=True, text=True, check=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    main()

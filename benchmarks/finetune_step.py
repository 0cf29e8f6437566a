"""One training step: xlwarm's against the plain way of doing it, on the same model and sentences.

Plain: the whole vocabulary, torch.optim.Adam with its defaults, batches drawn at random. Each side
runs in a process of its own, so that peak memory is its own. Prints a table of steps/s, peak memory
and their ratios; `make bench` runs it.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

STEPS = 60
BATCH = 8
LAYERS = 6
CORPUS = Path(__file__).parents[1] / "experiments" / "quickstart"
BACKBONE = "bundled:multilingual-e5-small"


def main() -> None:
    from rich.console import Console
    from rich.table import Table

    print(f"batch {BATCH}, {LAYERS} layers of {BACKBONE}, float32, 1 thread, {STEPS} steps")
    sides = {side: _measure(side) for side in ("plain", "xlwarm")}
    table = Table()
    for column in ("", "steps/s", "peak memory, MiB", "parameters trained"):
        table.add_column(column, justify="right")
    for side, found in sides.items():
        table.add_row(
            side, f"{found['rate']:.2f}", f"{found['peak']:.0f}", f"{found['parameters']:,}"
        )
    rate, peak = (sides["xlwarm"][key] / sides["plain"][key] for key in ("rate", "peak"))
    table.add_row("ratio", f"{rate:.2f}", f"{peak:.2f}", "")
    Console().print(table)


def _measure(side: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.finetune_step", side],
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def run_side(side: str) -> None:
    import torch

    from projection.columns import read_columns
    from projection.tasks import TASKS
    from trainers.backbones import BackboneSettings, load_tokenizer, resolve_checkpoint
    from trainers.encoding import TagVocabulary, encode_corpus
    from trainers.tagger import build_tagger

    torch.set_num_threads(1)
    task = TASKS["ner"]
    tags = TagVocabulary.of(task.labels, task.scheme)
    folder = resolve_checkpoint(BACKBONE)
    sentences = read_columns(CORPUS / "en.train.conll", "en").corpus.sentences
    corpus = encode_corpus(sentences, load_tokenizer(folder), tags, max_pieces=128)
    settings = BackboneSettings(name=BACKBONE, num_layers=LAYERS)
    tagger = build_tagger(folder, settings, len(tags.tags), seed=1)
    step = {"plain": _plain_step, "xlwarm": _xlwarm_step}[side](tagger, corpus)
    step(0)
    begin = time.perf_counter()
    for number in range(1, STEPS + 1):
        step(number)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    parameters = sum(parameter.numel() for parameter in tagger.parameters())
    print(json.dumps({"rate": STEPS / seconds, "peak": peak, "parameters": parameters}))


def _plain_step(tagger, corpus):
    import numpy as np
    import torch

    from trainers.collation import collate

    tagger.train()
    adam = torch.optim.Adam(tagger.parameters(), lr=1e-4)
    draw = np.random.default_rng(1)

    def step(_number):
        which = draw.choice(len(corpus), BATCH, replace=False)
        adam.zero_grad()
        tagger.loss(collate(corpus, which, tagger.padding, torch.device("cpu"))).backward()
        adam.step()

    return step


def _xlwarm_step(tagger, corpus):
    from dataclasses import replace

    import numpy as np

    from trainers.training import FineTuner, TrainSettings
    from trainers.vocabulary import renumber, trim_encoder

    kept = np.unique(np.append(corpus.pieces, np.arange(tagger.padding + 1, dtype=np.int32)))
    trim_encoder(tagger.encoder, kept)
    corpus = replace(corpus, pieces=renumber(corpus.pieces, kept))
    settings = TrainSettings(
        learning_rate=1e-4, batch_size=BATCH, steps=STEPS + 1, select_after=0, evaluate_every=STEPS
    )
    return FineTuner(tagger, corpus, settings, seed=1).step


if __name__ == "__main__":
    run_side(sys.argv[1]) if len(sys.argv) > 1 else main()

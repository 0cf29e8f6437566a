"""Fine-tuning steps: xlwarm's against the Hugging Face Trainer's, same model and batches.

Both sides train the same tagger in float32 with Adam at a constant rate, on the same sentences in
the same order, with the same dropout masks (drawn from the same seed before each step). The Trainer
has the whole vocabulary and PyTorch's fused AdamW without weight decay, which is Adam; xlwarm has
the vocabulary trimmed to the corpus and all parameters in one vector. Each side runs in a process
of its own, so that its peak memory is its own. Their loss curves must agree to 1e-4.

    python -m benchmarks.finetune_step [THREADS]        (make bench: one thread)
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEPS = 60
BATCH = 8
LAYERS = 6
DROPOUT = 0.0  # xlwarm runs a batch in parts of similar length, which draw other masks
RATE = 1e-4
SEED = 1
TOLERANCE = 1e-4
CORPUS = Path(__file__).parents[1] / "experiments" / "quickstart"
BACKBONE = "bundled:multilingual-e5-small"
SIDES = ("Trainer", "xlwarm")


def main(threads: int) -> None:
    from rich.console import Console
    from rich.table import Table

    print(
        f"batch {BATCH}, {LAYERS} layers of {BACKBONE}, float32, dropout {DROPOUT}, {STEPS} steps, "
        f"{threads} thread(s)"
    )
    sides = {side: _measure(side, threads) for side in SIDES}
    table = Table()
    for column in ("", "steps/s", "peak memory, MiB", "parameters trained", "last loss"):
        table.add_column(column, justify="right")
    for side, found in sides.items():
        table.add_row(
            side,
            f"{found['rate']:.2f}",
            f"{found['peak']:.0f}",
            f"{found['parameters']:,}",
            f"{found['losses'][-1]:.6f}",
        )
    theirs, ours = (sides[side] for side in SIDES)
    table.add_row(
        "ratio", f"{ours['rate'] / theirs['rate']:.2f}", f"{ours['peak'] / theirs['peak']:.2f}"
    )
    Console().print(table)
    apart = max(abs(a - b) for a, b in zip(theirs["losses"], ours["losses"], strict=True))
    print(f"the loss curves of {len(ours['losses'])} steps are at most {apart:.1e} apart")
    if apart > TOLERANCE:
        raise SystemExit(f"more than {TOLERANCE}: the two sides do not train the same model")


def _measure(side, threads):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.finetune_step", str(threads), side],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def run_side(side: str, threads: int) -> None:
    import torch

    from projection.columns import read_columns
    from projection.tasks import TASKS
    from trainers.backbones import BackboneSettings, load_tokenizer, resolve_checkpoint
    from trainers.encoding import TagVocabulary, encode_corpus
    from trainers.tagger import build_tagger

    torch.set_num_threads(threads)
    task = TASKS["ner"]
    tags = TagVocabulary.of(task.labels, task.scheme)
    folder = resolve_checkpoint(BACKBONE)
    sentences = read_columns(CORPUS / "en.train.conll", "en").corpus.sentences
    corpus = encode_corpus(sentences, load_tokenizer(folder), tags, max_pieces=128)
    settings = BackboneSettings(name=BACKBONE, num_layers=LAYERS, dropout=DROPOUT)
    tagger = build_tagger(folder, settings, len(tags.tags), seed=SEED)
    losses, seconds = {"Trainer": _trainer, "xlwarm": _xlwarm}[side](tagger, corpus)
    found = {
        "rate": (STEPS - 1) / seconds,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "parameters": sum(parameter.numel() for parameter in tagger.parameters()),
        "losses": losses,
    }
    print(json.dumps(found))


def _trainer(tagger, corpus):
    """Losses of all steps, and the seconds that all but the first took."""
    import torch
    import transformers

    from trainers.batches import BatchOrder
    from trainers.collation import collate
    from trainers.seeding import stream_seed

    order = BatchOrder(len(corpus), BATCH, SEED, "finetune")
    losses, ends = [], []

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.tagger = tagger

        def forward(self, batch):
            torch.manual_seed(stream_seed(SEED, "finetune dropout", len(losses)))
            loss = self.tagger.loss(batch)
            losses.append(loss.detach())
            return {"loss": loss}

    class Clock(transformers.TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            ends.append(time.perf_counter())

    class Peer(transformers.Trainer):
        """With xlwarm's batches; everything else is the Trainer's own."""

        def get_train_dataloader(self):
            cpu = torch.device("cpu")
            return [
                {"batch": collate(corpus, order(step), tagger.padding, cpu)}
                for step in range(STEPS)
            ]

    with tempfile.TemporaryDirectory() as folder:
        settings = transformers.TrainingArguments(
            folder,
            max_steps=STEPS,
            learning_rate=RATE,
            lr_scheduler_type="constant",
            weight_decay=0.0,
            max_grad_norm=0.0,
            use_cpu=True,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        Peer(Model(), settings, train_dataset=corpus, callbacks=[Clock()]).train()
    return [float(loss) for loss in losses], ends[-1] - ends[0]


def _xlwarm(tagger, corpus):
    """Losses of all steps, and the seconds that all but the first took."""
    from dataclasses import replace

    import numpy as np

    from trainers.settings import TrainSettings
    from trainers.training import FineTuner
    from trainers.vocabulary import renumber, trim_encoder

    kept = np.unique(np.append(corpus.pieces, np.arange(tagger.padding + 1, dtype=np.int32)))
    trim_encoder(tagger.encoder, kept)
    corpus = replace(corpus, pieces=renumber(corpus.pieces, kept))
    settings = TrainSettings(
        learning_rate=RATE, batch_size=BATCH, steps=STEPS, select_after=0, evaluate_every=STEPS
    )
    tuner = FineTuner(tagger, corpus, settings, seed=SEED)
    losses = [tuner.step(0)]
    begin = time.perf_counter()
    losses += [tuner.step(step) for step in range(1, STEPS)]
    return losses, time.perf_counter() - begin


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    run_side(sys.argv[2], number) if len(sys.argv) > 2 else main(number)

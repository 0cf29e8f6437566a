"""How much memory one replica takes at most, measured on the largest batch it will ever see."""

import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from trainers.encoding import EncodedCorpus
from trainers.errors import TrainingDivergedError
from trainers.evaluation import predict_tags
from trainers.reading import PIECES_PER_BATCH
from trainers.settings import TrainSettings
from trainers.training import FineTuner

if TYPE_CHECKING:
    from trainers.tagger import Tagger

MIB = 2**20
STEPS = 2
"""Training steps that are measured: the optimiser's state exists from the first on."""


@dataclass(frozen=True, slots=True)
class Peak:
    """Most memory that a process held, in bytes: its own, and on its GPU."""

    process: int = 0
    gpu: int = 0


def measure_evaluation(build: Callable[[], "Tagger"], corpus: EncodedCorpus) -> Peak:
    """Peak of a process that builds a tagger and tags as many longest sentences as it ever does.

    Args:
        build: Builds the tagger on its device.
        corpus: Its longest sentence is measured.
    """
    with peak_memory() as peak:
        sentences = PIECES_PER_BATCH // int(corpus.lengths.max()) or 1
        _tag(build(), _repeated(corpus, sentences))
    return peak()


def measure_training(
    build: Callable[[], "Tagger"], corpus: EncodedCorpus, batch_size: int, *, seed: int
) -> Peak:
    """Peak of a process that builds a tagger, fine-tunes it and keeps the best weights so far.

    A warm-up worker takes less: it has no optimiser state.

    Args:
        build: Builds the tagger on its device.
        corpus: Labelled; its longest sentence fills a batch.
        batch_size: Sentences a step.
        seed: Of dropout.
    """
    settings = TrainSettings(
        learning_rate=1e-9, batch_size=batch_size, steps=STEPS, select_after=0, evaluate_every=STEPS
    )
    with peak_memory() as peak:
        largest = _repeated(corpus, batch_size)
        tuner = FineTuner(build(), largest, settings, seed=seed)
        best = tuner.flat.values.clone()
        for step in range(STEPS):
            with suppress(TrainingDivergedError):  # memory is measured, not quality
                tuner.step(step)
        _tag(tuner.tagger, largest)
        del best
    return peak()


def _tag(tagger: "Tagger", corpus: EncodedCorpus) -> None:
    with suppress(FloatingPointError):
        predict_tags(tagger, corpus)


def _repeated(corpus: EncodedCorpus, times: int) -> EncodedCorpus:
    """The longest sentence of ``corpus`` so many times: no batch has more pieces."""
    longest = corpus.only(int(corpus.lengths.argmax()))
    return EncodedCorpus.concatenate([longest] * times)


@contextmanager
def peak_memory() -> Iterator[Callable[[], Peak]]:
    """Gives a function that tells, afterwards, the most memory this process held meanwhile.

    Where the system cannot forget earlier peaks (anything but Linux), they count.
    """
    cuda = torch.cuda.is_available() and torch.cuda.is_initialized()
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    _forget_peak()
    found: list[Peak] = []
    yield lambda: found[0]
    on_gpu = torch.cuda.max_memory_reserved() if torch.cuda.is_initialized() else 0
    found.append(Peak(_peak_of_process(), on_gpu))


def _forget_peak() -> None:
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")  # proc(5): resets the peak resident set size


def _peak_of_process() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

"""``probe``: how much memory one replica takes, measured before the first is trained."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from orchestrator.fingerprints import Json
from orchestrator.steps.base import Surroundings
from orchestrator.steps.model import ModelStep

if TYPE_CHECKING:
    from trainers.encoding import EncodedCorpus


@dataclass(frozen=True, kw_only=True)
class ProbeStep(ModelStep):
    """Two training steps, and the tagging of a batch, on the longest sentence of all corpora.

    Steps that run the model wait for it and are given as much memory. No result depends on it.
    """

    kind: ClassVar[str] = "probe"

    batch_size: int

    def title(self) -> str:
        """Says what it is for."""
        return f"measure the memory of a replica (batches of {self.batch_size})"

    def run(self, folder: Path, around: Surroundings) -> dict[str, Json]:
        """Nothing but small results: bytes of a process, and of its GPU, by what it does."""
        from trainers.memory import measure_evaluation, measure_training

        encoding, store = self.encoding, around.store
        languages = [encoding.source_language, *(one.language for one in encoding.projections)]
        trained = [encoding.corpus(store, "train", language) for language in languages]
        tested = [encoding.corpus(store, "test", language) for language, _ in encoding.tests]
        build = partial(self.build, store, around.device)
        evaluating = measure_evaluation(build, _with_longest([*trained, *tested]))
        training = measure_training(build, _with_longest(trained), self.batch_size, seed=self.seed)
        return {
            "train": training.process,
            "evaluate": evaluating.process,
            "gpu_train": training.gpu,
            "gpu_evaluate": evaluating.gpu,
            "gpu_total": _gpu_memory(around),
        }


def _with_longest(corpora: "list[EncodedCorpus]") -> "EncodedCorpus":
    return max(corpora, key=lambda corpus: int(corpus.lengths.max()))


def _gpu_memory(around: Surroundings) -> int:
    if around.device.type != "cuda":
        return 0
    import torch

    return int(torch.cuda.get_device_properties(around.device).total_memory)

"""``average``: the mean of the weights of trained models, itself a model; nothing is trained."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from orchestrator.fingerprints import Json
from orchestrator.steps.base import Surroundings
from orchestrator.steps.finetune import CURVE
from orchestrator.steps.model import TrainedStep
from orchestrator.steps.warmup import WEIGHTS


@dataclass(frozen=True, kw_only=True)
class AverageStep(TrainedStep):
    """Average models that were trained from the same encoder and the same first output layer.

    Args:
        models: Two or more, of one encoding and seed; each weighs the same.
    """

    kind: ClassVar[str] = "average"
    shareable: ClassVar[tuple[str, ...]] = (CURVE,)

    models: tuple[TrainedStep, ...]

    def title(self) -> str:
        """Names the corpora and the seed."""
        return f"average {len(self.models)} models on {'+'.join(self.languages)} seed {self.seed}"

    def run(self, folder: Path, around: Surroundings) -> dict[str, Json]:
        """Write ``model.safetensors`` and, as nothing was trained, an empty ``curve.jsonl``."""
        from trainers.checkpoints import load_weights, mean_arrays, save_arrays
        from trainers.evaluation import evaluate

        encoding, store = self.encoding, around.store
        mean = mean_arrays([store.folder(model) / WEIGHTS for model in self.models])
        save_arrays(folder / WEIGHTS, mean)
        (folder / CURVE).touch()
        tagger = self.built(around)
        load_weights(tagger, folder / WEIGHTS)
        dev = encoding.corpus(store, "dev", encoding.source_language)
        scores = evaluate(tagger, dev, encoding.tags, self.decoding)
        return {"models": len(self.models), "dev_f1": scores.micro.f1}

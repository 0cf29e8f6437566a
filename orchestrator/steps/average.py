"""``average``: the mean of the weights of trained models, itself a model; nothing is trained."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from orchestrator.fingerprints import Json
from orchestrator.steps.base import Surroundings
from orchestrator.steps.finetune import CURVE
from orchestrator.steps.joint import JointStep
from orchestrator.steps.warmup import WEIGHTS


@dataclass(frozen=True, kw_only=True)
class AverageStep(JointStep):
    """Average models that were trained from the same encoder and the same first output layer."""

    kind: ClassVar[str] = "average"

    def run(self, folder: Path, around: Surroundings) -> dict[str, Json]:
        """Write ``model.safetensors`` and, as nothing was trained, an empty ``curve.jsonl``."""
        from trainers.checkpoints import load_weights, mean_arrays, save_arrays

        mean = mean_arrays([around.store.folder(model) / WEIGHTS for model in self.models])
        save_arrays(folder / WEIGHTS, mean)
        (folder / CURVE).touch()
        tagger = self.built(around)
        load_weights(tagger, folder / WEIGHTS)
        return {"models": len(self.models), "dev_f1": self.dev_f1(tagger, around)}

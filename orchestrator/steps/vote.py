"""``vote``: trained models that tag together, by the mean of their probabilities."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from orchestrator.fingerprints import Json
from orchestrator.steps.base import Surroundings
from orchestrator.steps.finetune import CURVE
from orchestrator.steps.joint import JointStep


@dataclass(frozen=True, kw_only=True)
class VoteStep(JointStep):
    """Let models vote that read the same pieces and know the same tags."""

    kind: ClassVar[str] = "vote"

    @property
    def replicas(self) -> int:
        """As many as there are models."""
        return len(self.models)

    def run(self, folder: Path, around: Surroundings) -> dict[str, Json]:
        """Write an empty ``curve.jsonl``: nothing was trained, and the weights are its models'."""
        from orchestrator.steps.evaluators import trained_tagger

        (folder / CURVE).touch()
        tagger = trained_tagger(self, around)
        return {"models": len(self.models), "dev_f1": self.dev_f1(tagger, around)}

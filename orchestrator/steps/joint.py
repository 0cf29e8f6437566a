"""What steps share that make one tagger of several trained ones and train nothing."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from orchestrator.steps.base import Surroundings
from orchestrator.steps.finetune import CURVE
from orchestrator.steps.model import TrainedStep

if TYPE_CHECKING:
    from trainers.evaluation import AnyTagger


@dataclass(frozen=True, kw_only=True)
class JointStep(TrainedStep):
    """One tagger of several.

    Args:
        models: Two or more, of one encoding and seed; each weighs the same.
    """

    shareable: ClassVar[tuple[str, ...]] = (CURVE,)

    models: tuple[TrainedStep, ...]

    def title(self) -> str:
        """Names the corpora and the seed."""
        number, languages = len(self.models), "+".join(self.languages)
        return f"{self.kind} of {number} models on {languages} seed {self.seed}"

    def dev_f1(self, tagger: "AnyTagger", around: Surroundings) -> float:
        """F1 of the finished tagger on the source's development set, in percent."""
        from trainers.evaluation import evaluate

        encoding = self.encoding
        dev = encoding.corpus(around.store, "dev", encoding.source_language)
        return evaluate(tagger, dev, encoding.tags, self.decoding).micro.f1

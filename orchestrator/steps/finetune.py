"""``finetune``: one trained model (paper §3, §4 and §5.2)."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from orchestrator.fingerprints import Json
from orchestrator.steps.base import Every, Surroundings
from orchestrator.steps.model import TrainedStep
from orchestrator.steps.warmup import WEIGHTS
from trainers.settings import TrainSettings

if TYPE_CHECKING:
    from trainers.course import Progress

CURVE = "curve.jsonl"
CHECKPOINT = "training.safetensors"


@dataclass(frozen=True, kw_only=True)
class FinetuneStep(TrainedStep):
    """Train on the union of some languages' corpora; the source dev set selects."""

    kind: ClassVar[str] = "finetune"
    version: ClassVar[int] = 3
    shareable: ClassVar[tuple[str, ...]] = (CURVE,)

    training: TrainSettings

    @property
    def num_steps(self) -> int:
        """Of its schedule."""
        return self.training.steps

    def title(self) -> str:
        """Names the corpora, the seed and whether it starts warm."""
        warm = " after warm-up" if self.warmup else ""
        return f"train on {'+'.join(self.languages)}{warm} seed {self.seed}"

    def run(self, folder: Path, around: Surroundings) -> dict[str, Json]:
        """Write ``model.safetensors`` of the selected step and ``curve.jsonl``."""
        from trainers.checkpoints import load_weights, save_weights
        from trainers.course import Checkpoints
        from trainers.encoding import EncodedCorpus
        from trainers.training import fine_tune

        tagger = self.built(around)
        if self.warmup:
            load_weights(tagger, around.store.folder(self.warmup) / WEIGHTS)
        encoding, store = self.encoding, around.store

        scores: list[Json] = []

        def observe(progress: "Progress") -> None:
            if progress.dev_f1 is not None:
                scores.append([progress.step, progress.dev_f1])
            state: dict[str, Json] = {"done": progress.step, "of": self.training.steps}
            around.report(state | {"loss": progress.loss, "scores": list(scores)})

        result = fine_tune(
            tagger,
            EncodedCorpus.concatenate(
                [encoding.corpus(store, "train", language) for language in self.languages]
            ),
            encoding.corpus(store, "dev", encoding.source_language),
            encoding.tags,
            self.training,
            seed=self.seed,
            decoding=self.decoding,
            observe=observe,
            checkpoints=Checkpoints(
                store.scratch(self) / CHECKPOINT, Every(around.checkpoint_seconds)
            ),
            wanted=around.wanted,
        )
        save_weights(tagger, folder / WEIGHTS)
        with (folder / CURVE).open("w") as out:
            out.writelines(json.dumps(asdict(point)) + "\n" for point in result.curve)
        return {"best_step": result.best_step, "dev_f1": result.dev_f1}

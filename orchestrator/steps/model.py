"""What the steps that run a model share: how the model is built."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.fingerprints import placement
from orchestrator.steps.base import Step, Surroundings
from orchestrator.steps.encode import BACKBONE, EncodeStep
from orchestrator.store import StepStore
from trainers.settings import TaggerSettings

if TYPE_CHECKING:
    import torch

    from orchestrator.steps.probe import ProbeStep
    from orchestrator.steps.warmup import WarmupStep
    from trainers.decoding import Decoding
    from trainers.tagger import Tagger


@dataclass(frozen=True, kw_only=True)
class ModelStep(Step):
    """A step that runs one model on one device."""

    encoding: EncodeStep
    dropout: float
    tagger: TaggerSettings
    seed: int
    threads: int
    """CPU threads of one replica; sums depend on it."""
    probe: "ProbeStep | None" = placement(default=None)
    """Measures how much memory it takes."""

    @property
    def replicas(self) -> int:
        """Models that are in memory at once where it runs or is tested."""
        return 1

    @property
    def cpus(self) -> int:
        """As many as it has threads."""
        return self.threads

    @property
    def trains(self) -> bool:
        """Runs the model."""
        return True

    def build(self, store: StepStore, device: "torch.device") -> "Tagger":
        """The tagger before any training, on ``device``, with this step's number of threads."""
        import torch

        from trainers.backbones import BackboneSettings
        from trainers.tagger import build_tagger

        torch.set_num_threads(self.threads)
        settings = BackboneSettings(
            name="trimmed", max_pieces=self.encoding.max_pieces, dropout=self.dropout
        )
        return build_tagger(
            store.folder(self.encoding) / BACKBONE,
            settings,
            len(self.encoding.tags.tags),
            seed=self.seed,
            inputs=self.encoding.inputs,
            beside=self.tagger,
            device=device,
        )

    def built(self, around: Surroundings) -> "Tagger":
        """:meth:`build` in the surroundings of the step."""
        return self.build(around.store, around.device)


@dataclass(frozen=True, kw_only=True)
class TrainedStep(ModelStep):
    """A step whose result is a trained model, with its weights and the curve of its training."""

    languages: tuple[str, ...]
    """Whose corpora it was trained on."""
    decoding: "Decoding"
    warmup: "WarmupStep | None"
    """That was before."""

    @property
    def num_steps(self) -> int:
        """Optimiser steps that it takes itself."""
        return 0

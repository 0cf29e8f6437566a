"""``warmup``: the multilingual warm-up of one seed (paper §5.1), its replicas in parallel."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from orchestrator.fingerprints import Json
from orchestrator.steps.base import Surroundings
from orchestrator.steps.model import ModelStep
from orchestrator.store import StepStore
from trainers.warmup import OuterState, RoundReport, WarmupSettings, warm_up

if TYPE_CHECKING:
    import torch

    from trainers.worker import LanguageWorker

WEIGHTS = "model.safetensors"
ROUNDS = "rounds.jsonl"


@dataclass(frozen=True, kw_only=True)
class WorkerRecipe:
    """Builds the worker of some languages where it is to run; small enough to be sent anywhere."""

    step: "WarmupStep"
    store: StepStore
    device: str

    def __call__(self, languages: Sequence[str]) -> "LanguageWorker":
        """The worker that holds ``languages``."""
        import torch

        from trainers.worker import LanguageWorker

        return LanguageWorker(
            self.step.build(self.store, torch.device(self.device)),
            {
                language: self.step.encoding.corpus(self.store, "train", language)
                for language in languages
            },
            self.step.settings,
            batch_size=self.step.batch_size,
            seed=self.step.seed,
        )


@dataclass(frozen=True, kw_only=True)
class WarmupStep(ModelStep):
    """Z rounds of K steps a language, averaged (Eq. 7 and 8)."""

    kind: ClassVar[str] = "warmup"

    languages: tuple[str, ...]
    settings: WarmupSettings
    batch_size: int

    def title(self) -> str:
        """Names Z, K and the seed."""
        return f"warm up Z={self.settings.rounds} K={self.settings.steps} seed {self.seed}"

    def run(self, folder: Path, around: Surroundings) -> dict[str, Json]:
        """Write the warmed-up ``model.safetensors``, the optimiser's state and ``rounds.jsonl``."""
        import torch

        from trainers.checkpoints import save_weights
        from trainers.flat import FlatModel

        tagger = self.build(around.store, torch.device("cpu"))
        flat = FlatModel(tagger)
        recipe = WorkerRecipe(step=self, store=around.store, device=str(around.device))
        rounds: list[RoundReport] = []

        def observe(done: int, report: RoundReport) -> None:
            rounds.append(report)
            mean = sum(report.losses.values()) / len(report.losses)
            around.report({"done": done, "of": self.settings.rounds, "loss": mean})

        with around.pool(recipe, self.languages) as run_round:
            state = warm_up(flat.values, run_round, self.settings, observe)
        save_weights(tagger, folder / WEIGHTS)
        _save_state(state, folder / "outer_state.safetensors")
        with (folder / ROUNDS).open("w") as out:
            out.writelines(json.dumps(asdict(report)) + "\n" for report in rounds)
        return {
            "sentences_seen": dict(self._sentences_seen(around.store)),
            "rounding_loss": rounds[-1].rounding_loss,
            "final_losses": dict(rounds[-1].losses),
        }

    def _sentences_seen(self, store: StepStore) -> dict[str, int]:
        from trainers.worker import warmup_order

        steps = self.settings.rounds * self.settings.steps
        return {
            language: warmup_order(
                self.encoding.corpus(store, "train", language),
                self.batch_size,
                self.seed,
                language,
            ).distinct(steps)
            for language in self.languages
        }


def _save_state(state: OuterState, path: Path) -> None:
    from trainers.checkpoints import save_arrays

    moments: dict[str, torch.Tensor] = {"moment1": state.moment1, "moment2": state.moment2}
    save_arrays(
        path,
        {name: moment.numpy() for name, moment in moments.items()},
        {"rounds": str(state.rounds)},
    )

"""``warmup``: the multilingual warm-up of one seed (paper §5.1), its replicas in parallel."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from orchestrator.fingerprints import Json, placement
from orchestrator.steps.base import Every, Surroundings, publish
from orchestrator.steps.model import ModelStep
from orchestrator.store import StepStore
from trainers.settings import WarmupSettings

if TYPE_CHECKING:
    from trainers.flat import FlatModel
    from trainers.warmup import RoundReport, RoundState
    from trainers.worker import LanguageWorker

WEIGHTS = "model.safetensors"
ROUNDS = "rounds.jsonl"
OUTER_STATE = "outer_state.safetensors"
CHECKPOINT = "rounds.safetensors"


@dataclass(frozen=True, kw_only=True)
class StepJob:
    """A warm-up step as its workers need to know it."""

    step: "WarmupStep"
    store: StepStore
    device: str

    @property
    def languages(self) -> tuple[str, ...]:
        """Of the step."""
        return self.step.languages

    @property
    def settings(self) -> WarmupSettings:
        """Of the step."""
        return self.step.settings

    def worker(self) -> "LanguageWorker":
        """A worker that reads the corpora of the languages it is asked for."""
        import torch

        from trainers.worker import LanguageWorker

        return LanguageWorker(
            self.step.build(self.store, torch.device(self.device)),
            lambda language: self.step.encoding.corpus(self.store, "train", language),
            self.settings,
            batch_size=self.step.batch_size,
            seed=self.step.seed,
        )

    def costs(self) -> Mapping[str, float]:
        """Mean pieces of a sentence: all languages take as many steps of as many sentences."""
        return {
            language: float(self.step.encoding.corpus(self.store, "train", language).lengths.mean())
            for language in self.languages
        }


@dataclass
class Passed:
    """The last point of a trajectory that is in the store."""

    rounds: int
    when: float
    """``time.perf_counter()`` then."""


@dataclass(frozen=True, kw_only=True)
class WarmupStep(ModelStep):
    """Z rounds of K steps a language, averaged (Eq. 7 and 8)."""

    kind: ClassVar[str] = "warmup"
    version: ClassVar[int] = 4
    shareable: ClassVar[tuple[str, ...]] = (ROUNDS,)

    languages: tuple[str, ...]
    settings: WarmupSettings
    batch_size: int
    waypoints: tuple[int, ...] = placement(())
    """Rounds on the way after which the state is stored as the shorter warm-up that it is."""

    @cached_property
    def trajectory(self) -> str:
        """All that settles the rounds, but not how many there are."""
        return self.of_rounds(1).fingerprint

    @property
    def reach(self) -> int:
        """Z."""
        return self.settings.rounds

    def of_rounds(self, rounds: int) -> "WarmupStep":
        """The warm-up that ends after so many rounds of this one."""
        settings = self.settings.model_copy(update={"rounds": rounds})
        return replace(self, settings=settings, waypoints=())

    def title(self) -> str:
        """Names Z, K and the seed."""
        return f"warm up Z={self.settings.rounds} K={self.settings.steps} seed {self.seed}"

    def run(self, folder: Path, around: Surroundings) -> dict[str, Json]:
        """Write the warmed-up ``model.safetensors``, the optimiser's state and ``rounds.jsonl``."""
        import torch

        from trainers.flat import FlatModel
        from trainers.round_files import save_checkpoint
        from trainers.warmup import Hooks, warm_up

        tagger = self.build(around.store, torch.device("cpu"))
        flat = FlatModel(tagger, tagger.word_embedding, trains=False)
        checkpoint = around.store.scratch(self) / CHECKPOINT
        state, reports = self._start(flat, checkpoint, around.store)
        prefix, due = self.finished_prefix(around.store), Every(around.checkpoint_seconds)
        passed = Passed(prefix.reach if prefix else 0, time.perf_counter())

        def observe(done: int, report: "RoundReport") -> None:
            reports.append(report)
            mean = sum(report.losses.values()) / len(report.losses)
            around.report({"done": done, "of": self.settings.rounds, "loss": mean})

        def keep(state: "RoundState") -> None:
            save_checkpoint(checkpoint, state, reports)
            if state.rounds in self.waypoints:
                flat.move_to(state.parameters)
                self._leave_behind(flat, state, reports, passed, around)

        hooks = Hooks(observe, lambda done: done in self.waypoints or due(), keep)
        job = StepJob(step=self, store=around.store, device=str(around.device))
        with around.pool(job, flat.layout) as rounds:
            state = warm_up(state, rounds, self.settings.rounds, hooks)
            transport = rounds.name
        flat.move_to(state.parameters)
        outputs = self._written(folder, flat, state, reports, around.store)
        before = prefix.reach if prefix else 0
        return outputs | {"transport": transport, "rounds_before": before}

    def _written(
        self,
        folder: Path,
        flat: "FlatModel",
        state: "RoundState",
        reports: "list[RoundReport]",
        store: StepStore,
    ) -> dict[str, Json]:
        from trainers.checkpoints import save_weights
        from trainers.round_files import save_outer_state, to_lines

        save_weights(flat.module, folder / WEIGHTS)
        save_outer_state(folder / OUTER_STATE, state)
        (folder / ROUNDS).write_text("".join(f"{line}\n" for line in to_lines(reports)))
        return {
            "sentences_seen": dict(self._sentences_seen(store)),
            "rounding_loss": reports[-1].rounding_loss,
            "final_losses": dict(reports[-1].losses),
        }

    def _leave_behind(
        self,
        flat: "FlatModel",
        state: "RoundState",
        reports: "list[RoundReport]",
        passed: "Passed",
        around: Surroundings,
    ) -> None:
        """Store the shorter warm-up that ends here."""
        shorter = self.of_rounds(state.rounds)
        if around.store.is_done(shorter):
            return

        def write(folder: Path) -> dict[str, Json]:
            outputs = shorter._written(folder, flat, state, reports, around.store)
            return outputs | {"rounds_before": passed.rounds}

        publish(shorter, around, write, began=passed.when)
        passed.rounds, passed.when = state.rounds, time.perf_counter()

    def _start(
        self, flat: "FlatModel", checkpoint: Path, store: StepStore
    ) -> "tuple[RoundState, list[RoundReport]]":
        """Where an earlier attempt or the longest finished prefix ended, else the beginning."""
        from trainers.checkpoints import load_weights
        from trainers.round_files import from_lines, load_checkpoint, load_outer_state
        from trainers.warmup import RoundState

        prefix = self.finished_prefix(store)
        if checkpoint.exists():
            state, reports = load_checkpoint(checkpoint)
            if prefix is None or state.rounds >= prefix.settings.rounds:
                return state, reports
        if prefix is None:
            return RoundState.start(flat.values, self.settings.outer_optimizer), []
        folder = store.folder(prefix)
        load_weights(flat.module, folder / WEIGHTS)
        state = load_outer_state(folder / OUTER_STATE, flat.values)
        return state, from_lines((folder / ROUNDS).read_text().splitlines())

    def finished_prefix(self, store: StepStore) -> "WarmupStep | None":
        """The longest finished warm-up that differs in nothing but fewer rounds.

        Its rounds are the first ones of this warm-up, so this one goes on where it ended.
        """
        for rounds in range(self.settings.rounds - 1, 0, -1):
            shorter = self.of_rounds(rounds)
            if store.is_done(shorter):
                return shorter
        return None

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

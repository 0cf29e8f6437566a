"""Fine-tuning: one loop with the paper's schedule and model selection on the source dev set."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from trainers.batches import BatchOrder
from trainers.collation import collate_parts
from trainers.course import Checkpoints, Course, Progress
from trainers.decoding import Decoding
from trainers.encoding import EncodedCorpus, TagVocabulary
from trainers.errors import TrainingDivergedError, TrainingStoppedError
from trainers.evaluation import evaluate
from trainers.flat import FlatModel
from trainers.seeding import stream_seed
from trainers.settings import TrainSettings
from trainers.tagger import Tagger


def learning_rate_at(step: int, settings: TrainSettings) -> float:
    """Rate of optimiser step ``step``, from 0."""
    if step < settings.lr_warmup:
        return settings.learning_rate * (step + 1) / (settings.lr_warmup + 1)
    if settings.lr_decay == "none":
        return settings.learning_rate
    falling = settings.steps - settings.lr_warmup
    return settings.learning_rate * (settings.steps - step) / falling


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The selected step and the way there; the model holds the weights of that step."""

    best_step: int
    dev_f1: float
    curve: tuple[Progress, ...]


REPORT_EVERY = 20
"""Steps between two reports of the training loss."""


class FineTuner:
    """Adam on batches of one training corpus, from the weights that ``tagger`` has.

    Args:
        tagger: On its device; its parameters become views into one vector.
        corpus: Everything to train on.
        settings: Schedule.
        seed: Of the run; batches and dropout of a step depend on it and the step alone.
    """

    def __init__(
        self, tagger: Tagger, corpus: EncodedCorpus, settings: TrainSettings, *, seed: int
    ) -> None:
        self.tagger = tagger
        self.flat = FlatModel(tagger, sparse_rows=tagger.word_embedding)
        self._corpus = corpus
        self._settings = settings
        self._seed = seed
        self._order = BatchOrder(len(corpus), settings.batch_size, seed, "finetune")
        self.flat.values.grad = self.flat.gradients
        self._adam = torch.optim.Adam([self.flat.values], lr=settings.learning_rate, fused=True)
        self._last_loss: float | None = None

    def step(self, step: int) -> float:
        """One optimiser step (from 0); its training loss.

        Raises:
            TrainingDivergedError: The loss is not finite.
        """
        self.tagger.train()
        device = self.flat.values.device
        parts = collate_parts(self._corpus, self._order(step), self.tagger.padding, device)
        torch.manual_seed(stream_seed(self._seed, "finetune dropout", step))
        self.flat.gradients.zero_()
        value = self.tagger.backward(parts)
        if not math.isfinite(value):
            raise TrainingDivergedError(f"training step {step + 1}", value, self._last_loss)
        if self._settings.max_grad_norm is not None:
            clip(self.flat.gradients, self._settings.max_grad_norm)
        self._adam.param_groups[0]["lr"] = learning_rate_at(step, self._settings)
        self._adam.step()
        self._last_loss = value
        return value

    def vectors(self) -> dict[str, Tensor]:
        """All that later steps depend on; views."""
        moments: dict[str, Tensor] = self._adam.state[self.flat.values]
        return {"values": self.flat.values} | moments

    def go_on_from(self, vectors: Mapping[str, Tensor]) -> None:
        """Be as an earlier one was that had these :meth:`vectors`."""
        self.flat.values.copy_(vectors["values"])
        moments = {name: vector for name, vector in vectors.items() if name != "values"}
        groups = self._adam.state_dict()["param_groups"]
        self._adam.load_state_dict({"state": {0: moments}, "param_groups": groups})


def clip(gradients: Tensor, max_norm: float) -> None:
    """Scale ``gradients`` ``(N,)`` in place to a Euclidean norm of at most ``max_norm``."""
    norm = float(gradients.double().norm())
    if norm > max_norm:
        gradients.mul_(max_norm / norm)


def fine_tune(
    tagger: Tagger,
    corpus: EncodedCorpus,
    dev: EncodedCorpus,
    tags: TagVocabulary,
    settings: TrainSettings,
    *,
    seed: int,
    decoding: Decoding = Decoding.ARGMAX,
    observe: Callable[[Progress], None] = lambda _progress: None,
    checkpoints: Checkpoints | None = None,
    wanted: Callable[[], bool] = lambda: True,
) -> TrainingResult:
    """Train ``tagger`` on ``corpus`` and leave it with the weights that did best on ``dev``.

    Args:
        tagger: Changed in place.
        corpus: Training corpus, all languages together.
        dev: Source-language dev set, the only data that selects (ties go to the earlier step).
        tags: Of the model's output.
        settings: Schedule.
        seed: Of the run.
        decoding: How the dev set is tagged.
        observe: Told the loss every 20 steps and every dev score; of a training that goes on, also
            what was told before.
        checkpoints: From which an interrupted training goes on, to the same bits.
        wanted: Asked whenever ``observe`` was told.

    Raises:
        TrainingDivergedError: A training loss is not finite.
        TrainingStoppedError: ``wanted`` said no; the checkpoint is of this moment.
    """
    tuner = FineTuner(tagger, corpus, settings, seed=seed)
    course = Course()
    if checkpoints and (saved := checkpoints.load()):
        course, vectors = saved
        tuner.go_on_from(vectors)
        for point in course.curve:
            observe(point)
    while course.steps < settings.steps:
        course.took(tuner.step(course.steps))
        dev_f1 = None
        if settings.is_selection_step(course.steps):
            dev_f1 = evaluate(tagger, dev, tags, decoding).micro.f1
            course.scored(dev_f1, tuner.flat.values)
        if dev_f1 is not None or course.steps % REPORT_EVERY == 0:
            observe(course.report(dev_f1))
            if not wanted():
                if checkpoints:
                    checkpoints.save(course, tuner.vectors())
                raise TrainingStoppedError
        if checkpoints and checkpoints.due():
            checkpoints.save(course, tuner.vectors())
    tuner.flat.values.copy_(course.best)
    return TrainingResult(course.best_step, course.best_f1, tuple(course.curve))

"""What a study may set of the tagger, its training and its warm-up.

A study is read, planned and reported on without any model, so nothing here needs torch.
"""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, Field, model_validator


class LossMean(StrEnum):
    """Over what the loss of a batch is averaged."""

    SENTENCES = "sentences"
    """The words of a sentence, then the sentences (Eq. 3): a word of a short one counts more."""
    WORDS = "words"
    """All words of the batch alike."""


class TaggerSettings(BaseModel, frozen=True, extra="forbid"):
    """What the tagger has beside its encoder."""

    loss: LossMean = LossMean.SENTENCES
    """Mean over the words of a sentence, then over ``sentences`` (Eq. 3), or over all ``words``."""
    pos_size: int = Field(default=16, ge=1)
    """Width of the POS embedding; 16 in Marcheggiani et al. 2017, whose settings the paper
    follows without giving sizes of its own."""


class TrainSettings(BaseModel, frozen=True, extra="forbid"):
    """Schedule of the fine-tuning (paper, Table 6 and A.2)."""

    learning_rate: float = Field(gt=0, lt=1)
    """Of Adam."""
    batch_size: int = Field(ge=1)
    """Sentences per optimiser step, over all languages."""
    steps: int = Field(ge=1)
    """Optimiser steps."""
    select_after: int = Field(ge=0)
    """The dev set is first looked at after so many steps."""
    evaluate_every: int = Field(ge=1)
    """And then every so many; the last step is always looked at."""
    lr_warmup: int = Field(default=0, ge=0)
    """Steps over which the rate rises linearly from 0; off in the paper."""
    lr_decay: Literal["none", "linear"] = "none"
    """``linear`` falls to 0 at the last step; off in the paper."""
    max_grad_norm: float | None = Field(default=None, gt=0)
    """Gradients are scaled down to this Euclidean norm; off in the paper."""

    @model_validator(mode="after")
    def _leaves_something(self) -> "TrainSettings":
        if self.select_after >= self.steps:
            raise ValueError(
                f"select_after ({self.select_after}) must be below steps ({self.steps}), "
                "or no step is left to select from"
            )
        if self.lr_warmup >= self.steps:
            raise ValueError(f"lr_warmup ({self.lr_warmup}) must be below steps ({self.steps})")
        return self

    def is_selection_step(self, step: int) -> bool:
        """True if the dev set is looked at after ``step`` steps."""
        regular = step >= max(1, self.select_after) and step % self.evaluate_every == 0
        return regular or step == self.steps


class OuterOptimizer(StrEnum):
    """What turns the averaged move of the languages into an update of the shared parameters."""

    SGD = "sgd"
    """Eq. 7 as printed: a step of gamma along the move."""
    NESTEROV = "nesterov"
    """The negative move is the gradient of SGD with Nesterov momentum (DiLoCo, Douillard et al.
    2023)."""
    ADAM = "adam"
    """The negative move is the gradient handed to Adam with rate gamma."""


class Aggregation(StrEnum):
    """What makes one move of the languages' moves, number by number."""

    MEAN = "mean"
    """Eq. 7."""
    MEDIAN = "median"
    """The middle one; of an even number of languages, the mean of the middle two."""
    TRIMMED_MEAN = "trimmed-mean"
    """The mean without the share ``trim`` at either end."""


class Deltas(StrEnum):
    """What the languages send of the parameters outside the word embedding."""

    EXACT = "exact"
    """Where they ended, in float32."""
    BFLOAT16 = "bfloat16"
    """How far they moved, in bfloat16; what that loses is added to the next round's move."""


class WarmupSettings(BaseModel, frozen=True, extra="forbid"):
    """The warm-up's hyper-parameters, with the paper's letters (Table 6)."""

    rounds: int = Field(default=50, ge=1)
    """Z."""
    steps: int = Field(default=5, ge=1)
    """K: gradient steps per language and round."""
    inner_lr: float = Field(default=1e-3, gt=0, lt=1)
    """Beta: rate of the languages' plain SGD (Eq. 8)."""
    outer_lr: float = Field(default=5e-5, gt=0, le=1)
    """Gamma: rate of the outer optimiser (Eq. 7)."""
    outer_optimizer: OuterOptimizer = OuterOptimizer.ADAM
    """What turns the averaged move of the languages into an update."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Of the outer optimiser ``nesterov``."""
    aggregation: Aggregation = Aggregation.MEAN
    """How the moves of the languages become one."""
    trim: float = Field(default=0.25, gt=0, lt=0.5)
    """Share of the languages that a trimmed mean leaves out at either end, rounded down."""
    deltas: Deltas = Deltas.EXACT
    """What the languages send of the parameters outside the word embedding."""

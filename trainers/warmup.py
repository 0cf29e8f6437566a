"""The multilingual warm-up (paper §5.1): Z rounds, wherever its languages take their steps.

Everything here works on flat float32 vectors and knows neither models nor Ray. The shape letters
are those of :mod:`trainers.flat`; A and R are rows of the table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from trainers.flat import Layout
from trainers.settings import OuterOptimizer


class Start(Protocol):
    """Parameters before a round, of which a language reads what its batches need."""

    @property
    def dense(self) -> Tensor:
        """All outside the table, ``(D,)``."""

    def rows(self, ids: Tensor) -> Tensor:
        """Rows ``ids`` ``(R,)`` of the table, ``(R, H)``."""


@dataclass(frozen=True, slots=True)
class WholeStart:
    """Parameters that lie in one vector ``(N,)``."""

    vector: Tensor
    layout: Layout

    @property
    def dense(self) -> Tensor:
        """All outside the table, ``(D,)``."""
        return self.layout.dense_of(self.vector)

    def rows(self, ids: Tensor) -> Tensor:
        """Rows ``ids`` ``(R,)`` of the table, ``(R, H)``."""
        return self.layout.table_of(self.vector)[ids]


@dataclass(frozen=True, slots=True)
class LanguageEnd:
    """Where one language's K steps led.

    Args:
        language: Code of the target language.
        dense: Outside the table, ``(D,)``: where it ended in float32, or how far it moved in
            bfloat16.
        rows: Rows of the table that its batches touched, ascending, ``(R,)``; plain SGD does not
            move any other.
        table: Where those rows ended, float32, ``(R, H)``.
        loss: Mean training loss over the steps.
        seconds: That the steps took.
        residual: What bfloat16 lost of the move, float32, ``(D,)``; None if nothing can be lost.
    """

    language: str
    dense: Tensor
    rows: Tensor
    table: Tensor
    loss: float
    seconds: float = 0.0
    residual: Tensor | None = None


@dataclass(slots=True)
class RoundState:
    """What a round changes, all of it in place.

    Args:
        parameters: Shared by the languages, float32, ``(N,)``.
        moment1: Adam's running mean of the gradient or Nesterov's momentum, float32, ``(N,)``;
            ``(0,)`` for SGD.
        moment2: Adam's running mean of the gradient's square, float32, ``(N,)``; else ``(0,)``.
        rounds: Rounds done, which is also the number of the next one from 0.
        moved: Rows of the table that some language has moved, ascending, ``(A,)``.
        residuals: By language, what its next move has to make good, ``(D,)``.
    """

    parameters: Tensor
    moment1: Tensor
    moment2: Tensor
    rounds: int = 0
    moved: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    residuals: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def start(cls, parameters: Tensor, optimizer: OuterOptimizer) -> "RoundState":
        """The state before the first round."""
        size = len(parameters)
        first = 0 if optimizer is OuterOptimizer.SGD else size
        second = size if optimizer is OuterOptimizer.ADAM else 0
        return cls(parameters, torch.zeros(first), torch.zeros(second))


@dataclass(frozen=True, slots=True)
class RoundReport:
    """What one round did, for the log.

    Args:
        losses: Mean inner loss by language.
        move_norms: Euclidean length of each language's move.
        cosines: Cosine between the moves of two languages, by ``"de/es"``.
        update_norm: Length of the update that was meant.
        rounding_loss: Share of the update's length lost by storing float32, 0 to 1.
    """

    losses: dict[str, float]
    move_norms: dict[str, float]
    cosines: dict[str, float]
    update_norm: float
    rounding_loss: float


class Rounds(Protocol):
    """Carries out rounds of Eq. 7, wherever the shared parameters lie meanwhile."""

    name: str
    """How parameters and ends travel."""

    def begin(self, state: RoundState) -> None:
        """Start from ``state``, which is theirs until it is collected."""

    def run(self) -> RoundReport:
        """The next round."""

    def collect(self) -> RoundState:
        """Where all rounds so far led."""


@dataclass
class Hooks:
    """What a warm-up tells while it runs.

    Args:
        observe: Told after every round: how many are done, and what the last one did.
        wants_state: Given the rounds that are done, True if ``keep`` is to be told.
        keep: Told the state between two rounds; must not change it, nor hold on to it.
    """

    observe: Callable[[int, RoundReport], None] = lambda _done, _report: None
    wants_state: Callable[[int], bool] = lambda _done: False
    keep: Callable[[RoundState], None] = lambda _state: None


def warm_up(
    state: RoundState, rounds: Rounds, until: int, hooks: Hooks | None = None
) -> RoundState:
    """Run rounds of Eq. 7 from ``state`` until ``until`` are done; the state after the last."""
    hooks = hooks or Hooks()
    done = state.rounds
    rounds.begin(state)
    while done < until:
        report = rounds.run()
        done += 1
        hooks.observe(done, report)
        if done < until and hooks.wants_state(done):
            hooks.keep(rounds.collect())
    return rounds.collect()

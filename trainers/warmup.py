"""The mathematics of the multilingual warm-up (paper §5.1, Eq. 7 and 8; DESIGN §5).

Everything here works on flat float32 vectors of N parameters and knows neither models nor Ray.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from types import MappingProxyType

import torch
from pydantic import BaseModel, Field
from torch import Tensor

CHUNK = 1 << 18
"""Parameters updated at a time: float64 intermediates of one chunk stay in the cache."""

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
"""Adam's constants (Kingma and Ba 2014)."""


class OuterOptimizer(StrEnum):
    """What turns the averaged move of the languages into an update of the shared parameters."""

    SGD = "sgd"
    """Eq. 7 as printed: a step of gamma along the move."""
    ADAM = "adam"
    """The negative move is the gradient handed to Adam with rate gamma."""


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


@dataclass(frozen=True, slots=True)
class LanguageEnd:
    """Where one language's K steps led.

    Args:
        language: Code of the target language.
        parameters: After the steps, float32, ``(N,)``.
        loss: Mean training loss over the steps.
    """

    language: str
    parameters: Tensor
    loss: float


@dataclass(frozen=True, slots=True)
class OuterState:
    """What the outer optimiser remembers between rounds; the moments are empty for SGD.

    Args:
        rounds: Rounds done.
        moment1: Running mean of the gradient, float32, ``(N,)`` or ``(0,)``.
        moment2: Running mean of its square, float32, ``(N,)`` or ``(0,)``.
    """

    rounds: int
    moment1: Tensor
    moment2: Tensor

    @classmethod
    def start(cls, num_parameters: int, optimizer: OuterOptimizer) -> "OuterState":
        """The state before the first round."""
        size = num_parameters if optimizer is OuterOptimizer.ADAM else 0
        return cls(0, torch.zeros(size), torch.zeros(size))


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


def moves_from(start: Tensor, ends: Sequence[Tensor]) -> Tensor:
    """How far each language went from ``start``, in float64, ``(M, N)``.

    Args:
        start: Parameters before the round, ``(N,)``.
        ends: One vector for each of M languages, each ``(N,)``, in canonical language order.
    """
    origin = start.double()
    return torch.stack([end.double() - origin for end in ends])


def mean_move(moves: Tensor) -> Tensor:
    """Average of the languages' moves (Eq. 7 without gamma), added up in their order.

    Args:
        moves: Of M languages, float64, ``(M, N)``.

    >>> mean_move(moves_from(torch.tensor([1.0]), [torch.tensor([3.0]), torch.tensor([2.0])]))
    tensor([1.5000], dtype=torch.float64)
    """
    total = torch.zeros_like(moves[0])
    for move in moves:
        total += move
    return total / len(moves)


Update = Callable[[Tensor, Tensor, Tensor, int, float], Tensor]
"""From the mean move, both moments (changed in place), the round from 1 and gamma: the update."""


def sgd_update(move: Tensor, _m: Tensor, _v: Tensor, _z: int, outer_lr: float) -> Tensor:
    """Eq. 7 as printed: ``gamma * move``."""
    return outer_lr * move


def adam_update(move: Tensor, moment1: Tensor, moment2: Tensor, z: int, outer_lr: float) -> Tensor:
    """One step of Adam with ``-move`` as the gradient.

    Args:
        move: Mean move, float64, ``(n,)``.
        moment1: Changed in place, ``(n,)``.
        moment2: Changed in place, ``(n,)``.
        z: This round, from 1, for the bias correction.
        outer_lr: Gamma.
    """
    first = BETA1 * moment1.double() - (1 - BETA1) * move
    second = BETA2 * moment2.double() + (1 - BETA2) * move.square()
    moment1.copy_(first)
    moment2.copy_(second)
    scale = (second / (1 - BETA2**z)).sqrt_().add_(EPSILON)
    return first.div_(scale).mul_(-outer_lr / (1 - BETA1**z))


UPDATES: Mapping[OuterOptimizer, Update] = MappingProxyType(
    {OuterOptimizer.SGD: sgd_update, OuterOptimizer.ADAM: adam_update}
)


def apply_round(
    parameters: Tensor, ends: Sequence[LanguageEnd], state: OuterState, settings: WarmupSettings
) -> tuple[OuterState, RoundReport]:
    """Move ``parameters`` in place by one round (Eq. 7); a language weighs as much as any other.

    Args:
        parameters: Shared parameters before the round, float32, ``(N,)``.
        ends: One for each target language, in any order; summed in alphabetical order.
        state: Of the outer optimiser; its moments are changed in place.
        settings: Outer optimiser and gamma.

    Returns:
        The state after the round, and the report.
    """
    ends = sorted(ends, key=lambda end: end.language)
    update_of = UPDATES[settings.outer_optimizer]
    z = state.rounds + 1
    dots = torch.zeros(len(ends), len(ends), dtype=torch.float64)
    meant = lost = 0.0
    for start in range(0, len(parameters), CHUNK):
        part = slice(start, start + CHUNK)
        old = parameters[part].double()
        moves = moves_from(parameters[part], [end.parameters[part] for end in ends])
        dots += moves @ moves.T
        update = update_of(
            mean_move(moves), state.moment1[part], state.moment2[part], z, settings.outer_lr
        )
        parameters[part] = old + update
        meant += float(update @ update)
        lost += float((parameters[part].double() - old - update).square_().sum())
    report = _report(ends, dots, meant, lost)
    return OuterState(z, state.moment1, state.moment2), report


def _report(ends: Sequence[LanguageEnd], dots: Tensor, meant: float, lost: float) -> RoundReport:
    norms = dots.diagonal().sqrt()
    names = [end.language for end in ends]
    return RoundReport(
        losses={end.language: end.loss for end in ends},
        move_norms=dict(zip(names, norms.tolist(), strict=True)),
        cosines={
            f"{names[a]}/{names[b]}": float(dots[a, b] / (norms[a] * norms[b]).clamp_min(1e-300))
            for a, b in combinations(range(len(ends)), 2)
        },
        update_norm=meant**0.5,
        rounding_loss=(lost / meant) ** 0.5 if meant else 0.0,
    )


RunRound = Callable[[Tensor, int], Sequence[LanguageEnd]]
"""Send the parameters ``(N,)`` and the round, from 0, to every worker; one end a language."""

ObserveRound = Callable[[int, RoundReport], None]
"""Told after every round: how many are done, and what the last one did."""


def warm_up(
    parameters: Tensor,
    run_round: RunRound,
    settings: WarmupSettings,
    observe: ObserveRound = lambda _done, _report: None,
) -> OuterState:
    """Run Z rounds of Eq. 7 on ``parameters``, in place.

    Returns:
        The outer optimiser's state after the last round.
    """
    state = OuterState.start(len(parameters), settings.outer_optimizer)
    for z in range(settings.rounds):
        state, report = apply_round(parameters, run_round(parameters, z), state, settings)
        observe(z + 1, report)
    return state

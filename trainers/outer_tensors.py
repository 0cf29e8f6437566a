"""The arithmetic of the outer step in tensor operations, for any device.

:mod:`trainers.outer_kernels` says the same compiled, and gives the same bits on a CPU.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor

from trainers.settings import Aggregation, OuterOptimizer, WarmupSettings

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
"""Adam's constants (Kingma and Ba 2014)."""

Aggregate = Callable[[Tensor, Sequence[Tensor], WarmupSettings], Tensor]
"""From where the languages started, float64 ``(n,)``, and where they ended, ``(n,)`` each: one
move, float64 ``(n,)``."""


def mean_move(old: Tensor, ends: Sequence[Tensor], _settings: WarmupSettings) -> Tensor:
    """Average of the languages' moves (Eq. 7 without gamma).

    >>> start, ends = torch.tensor([1.0]).double(), [torch.tensor([3.0]), torch.tensor([2.0])]
    >>> mean_move(start, ends, WarmupSettings())
    tensor([1.5000], dtype=torch.float64)
    """
    total = old * -len(ends)
    for end in ends:
        total += end
    return total.div_(len(ends))


def median_move(old: Tensor, ends: Sequence[Tensor], _settings: WarmupSettings) -> Tensor:
    """The middle one of the languages' moves, number by number."""
    return _mean_of_ranks(old, ends, *ranks_of_median(len(ends)))


def trimmed_mean_move(old: Tensor, ends: Sequence[Tensor], settings: WarmupSettings) -> Tensor:
    """Mean of the languages' moves without the largest and the smallest, number by number."""
    return _mean_of_ranks(old, ends, *ranks_of_trimmed_mean(len(ends), settings.trim))


def ranks_of_median(count: int) -> tuple[int, int]:
    """First and one more than the last of ``count`` ranks whose mean is the median.

    >>> ranks_of_median(3), ranks_of_median(4)
    ((1, 2), (1, 3))
    """
    middle = (count - 1) // 2
    return middle, count - middle


def ranks_of_trimmed_mean(count: int, trim: float) -> tuple[int, int]:
    """First and one more than the last of ``count`` ranks that a trimmed mean keeps."""
    cut = int(trim * count)
    return cut, count - cut


def _mean_of_ranks(old: Tensor, ends: Sequence[Tensor], first: int, last: int) -> Tensor:
    ranked = torch.stack([end.double() - old for end in ends]).sort(dim=0).values[first:last]
    total = torch.zeros_like(old)
    for moves in ranked:
        total += moves
    return total.div_(len(ranked))


AGGREGATIONS: Mapping[Aggregation, Aggregate] = MappingProxyType(
    {
        Aggregation.MEAN: mean_move,
        Aggregation.MEDIAN: median_move,
        Aggregation.TRIMMED_MEAN: trimmed_mean_move,
    }
)

Update = Callable[[Tensor, Tensor, Tensor, int, WarmupSettings], Tensor]
"""From the move, both moments (changed in place), the round from 1 and the settings: the update."""


def sgd_update(move: Tensor, _m: Tensor, _v: Tensor, _z: int, settings: WarmupSettings) -> Tensor:
    """Eq. 7 as printed: ``gamma * move``."""
    return settings.outer_lr * move


def nesterov_update(
    move: Tensor, moment1: Tensor, _v: Tensor, _z: int, settings: WarmupSettings
) -> Tensor:
    """One step of SGD with Nesterov momentum, ``-move`` being the gradient."""
    momentum = settings.momentum * moment1.double() + move
    moment1.copy_(momentum)
    return momentum.mul_(settings.momentum).add_(move).mul_(settings.outer_lr)


def adam_update(
    move: Tensor, moment1: Tensor, moment2: Tensor, z: int, settings: WarmupSettings
) -> Tensor:
    """One step of Adam with ``-move`` as the gradient.

    Args:
        move: Of all languages together, float64, ``(n,)``.
        moment1: Changed in place, ``(n,)``.
        moment2: Changed in place, ``(n,)``.
        z: This round, from 1, for the bias correction.
        settings: Gamma.
    """
    first = BETA1 * moment1.double() - (1 - BETA1) * move
    second = BETA2 * moment2.double() + (1 - BETA2) * move.square()
    moment1.copy_(first)
    moment2.copy_(second)
    root = (second * (1 / (1 - BETA2**z))).sqrt_().add_(EPSILON)
    return first.div_(root).mul_(-settings.outer_lr * (1 / (1 - BETA1**z)))


UPDATES: Mapping[OuterOptimizer, Update] = MappingProxyType(
    {
        OuterOptimizer.SGD: sgd_update,
        OuterOptimizer.NESTEROV: nesterov_update,
        OuterOptimizer.ADAM: adam_update,
    }
)


def move_chunk(
    parameters: Tensor,
    ends: Sequence[Tensor],
    moment1: Tensor,
    moment2: Tensor,
    z: int,
    settings: WarmupSettings,
) -> Tensor:
    """Move ``parameters`` and the moments in place.

    Args:
        parameters: Changed in place, ``(n,)``.
        ends: Of the languages in alphabetical order, ``(n,)`` each.
        moment1: Changed in place.
        moment2: Changed in place.
        z: This round, from 1.
        settings: Aggregation, outer optimiser and gamma.

    Returns:
        The L * L dot products of the moves, then the squared lengths of the update that was meant
        and of what rounding took from it; float64, ``(L * L + 2,)``.
    """
    old = parameters.double()
    at_end = [old + end if end.dtype is torch.bfloat16 else end for end in ends]
    moves = parameters.new_empty(len(ends), len(parameters))
    for row, end in zip(moves, at_end, strict=True):
        torch.sub(end, parameters, out=row)
    dots = (moves @ moves.T).double().flatten()
    move = AGGREGATIONS[settings.aggregation](old, at_end, settings)
    update = UPDATES[settings.outer_optimizer](move, moment1, moment2, z, settings)
    parameters.copy_(old + update)
    lost = old.sub_(parameters).add_(update)
    return torch.cat([dots, torch.stack([update @ update, lost @ lost])])

"""The outer step of the warm-up (Eq. 7): one move of many, and what an optimiser makes of it.

It works number by number, chunk by chunk, in float64, and adds the languages up in alphabetical
order, so its result depends neither on who brings the ends nor when.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from types import MappingProxyType

import torch
from torch import Tensor

from trainers.flat import Layout
from trainers.warmup import (
    Aggregation,
    LanguageEnd,
    OuterOptimizer,
    RoundReport,
    RoundState,
    WarmupSettings,
)

CHUNK = 1 << 15
"""Numbers updated at a time: the float64 intermediates of one chunk stay in the cache."""

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
    middle = (len(ends) - 1) // 2
    return _mean_of_ranks(old, ends, middle, len(ends) - middle)


def trimmed_mean_move(old: Tensor, ends: Sequence[Tensor], settings: WarmupSettings) -> Tensor:
    """Mean of the languages' moves without the largest and the smallest, number by number."""
    cut = int(settings.trim * len(ends))
    return _mean_of_ranks(old, ends, cut, len(ends) - cut)


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
    scale = (second / (1 - BETA2**z)).sqrt_().add_(EPSILON)
    return first.div_(scale).mul_(-settings.outer_lr / (1 - BETA1**z))


UPDATES: Mapping[OuterOptimizer, Update] = MappingProxyType(
    {
        OuterOptimizer.SGD: sgd_update,
        OuterOptimizer.NESTEROV: nesterov_update,
        OuterOptimizer.ADAM: adam_update,
    }
)


def apply_round(
    state: RoundState,
    ends: Sequence[LanguageEnd],
    settings: WarmupSettings,
    layout: Layout,
    threads: int = 1,
) -> RoundReport:
    """Move ``state`` in place by one round (Eq. 7); a language weighs as much as any other.

    Args:
        state: Before the round.
        ends: One for each target language, in any order.
        settings: Aggregation, outer optimiser and gamma.
        layout: Of the vectors.
        threads: That share the work; the result does not depend on them.
    """
    ends = sorted(ends, key=lambda end: end.language)
    sums = [
        *move_dense(state, [end.dense for end in ends], settings, range(layout.dense), threads),
        *move_table(state, ends, settings, layout),
    ]
    state.rounds += 1
    state.residuals = {end.language: end.residual for end in ends if end.residual is not None}
    return report_of(sums, {end.language: end.loss for end in ends})


def move_dense(
    state: RoundState,
    ends: Sequence[Tensor],
    settings: WarmupSettings,
    stripe: range,
    threads: int = 1,
) -> list[Tensor]:
    """Move the numbers ``stripe`` of the dense part in place.

    Args:
        state: Its numbers ``stripe`` change.
        ends: Of the languages in alphabetical order, ``(len(stripe),)`` each.
        settings: Aggregation, outer optimiser and gamma.
        stripe: Starts at a multiple of ``CHUNK``, or sums may differ in the last bits.
        threads: That share the work.

    Returns:
        What :func:`report_of` needs of every chunk, in their order.
    """

    def move(start: int) -> Tensor:
        whole = slice(start, min(start + CHUNK, stripe.stop))
        part = slice(whole.start - stripe.start, whole.stop - stripe.start)
        return _move_chunk(
            state.parameters[whole],
            [end[part] for end in ends],
            state.moment1[whole],
            state.moment2[whole],
            state.rounds + 1,
            settings,
        )

    starts = range(stripe.start, stripe.stop, CHUNK)
    if threads == 1:
        return [move(start) for start in starts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(move, starts))


def move_table(
    state: RoundState, ends: Sequence[LanguageEnd], settings: WarmupSettings, layout: Layout
) -> list[Tensor]:
    """Move the rows of the table that some language has moved, in this round or before it.

    No other row has a move, nor a moment that is not zero.

    Args:
        state: Its table and ``moved`` change.
        ends: In alphabetical order.
        settings: Aggregation, outer optimiser and gamma.
        layout: Of the vectors.

    Returns:
        What :func:`report_of` needs of every chunk, in their order.
    """
    state.moved = torch.cat([state.moved, *[end.rows for end in ends]]).unique()
    kept = [state.parameters, state.moment1, state.moment2]
    tables = [layout.table_of(vector) if len(vector) else None for vector in kept]
    nothing = state.parameters.new_zeros(0)
    sums = []
    for ids in state.moved.split(max(1, CHUNK // layout.width)) if len(state.moved) else ():
        old, moment1, moment2 = parts = [
            nothing if table is None else table[ids].flatten() for table in tables
        ]
        at_end = [_rows_at_end(end, ids, old) for end in ends]
        sums.append(_move_chunk(old, at_end, moment1, moment2, state.rounds + 1, settings))
        for table, part in zip(tables, parts, strict=True):
            if table is not None:
                table[ids] = part.view(len(ids), layout.width)
    return sums


def _rows_at_end(end: LanguageEnd, ids: Tensor, old: Tensor) -> Tensor:
    """Where rows ``ids`` ended, ``(len(ids) * H,)``; as before where the language left them."""
    first, last = torch.searchsorted(end.rows, ids[[0, -1]] + ids.new_tensor([0, 1])).tolist()
    rows = old.clone().view(len(ids), -1)
    rows[torch.searchsorted(ids, end.rows[first:last])] = end.table[first:last]
    return rows.flatten()


def _move_chunk(
    parameters: Tensor,
    ends: Sequence[Tensor],
    moment1: Tensor,
    moment2: Tensor,
    z: int,
    settings: WarmupSettings,
) -> Tensor:
    """Move ``parameters`` ``(n,)`` and the moments in place.

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


def report_of(sums: Sequence[Tensor], losses: Mapping[str, float]) -> RoundReport:
    """The report of a round from the sums of all its chunks, in their order.

    Args:
        sums: As :func:`move_dense` and :func:`move_table` give them.
        losses: By language, in alphabetical order.
    """
    count = len(losses)
    total = torch.stack(list(sums)).sum(0)
    dots, (meant, lost) = total[:-2].view(count, count), total[-2:].tolist()
    norms = dots.diagonal().sqrt()
    names = list(losses)
    return RoundReport(
        losses=dict(losses),
        move_norms=dict(zip(names, norms.tolist(), strict=True)),
        cosines={
            f"{names[a]}/{names[b]}": float(dots[a, b] / (norms[a] * norms[b]).clamp_min(1e-300))
            for a, b in combinations(range(count), 2)
        },
        update_norm=meant**0.5,
        rounding_loss=(lost / meant) ** 0.5 if meant else 0.0,
    )

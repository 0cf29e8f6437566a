"""The outer step of the warm-up (Eq. 7): one move of many, and what an optimiser makes of it.

It works number by number, chunk by chunk, in float64, and adds the languages up in alphabetical
order, so its result depends neither on who brings the ends nor when. The arithmetic of a chunk is
in :mod:`trainers.outer_tensors`, for any device, and compiled for the CPU in
:mod:`trainers.outer_kernels`.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import torch
from torch import Tensor

from trainers import outer_tensors
from trainers.flat import Layout
from trainers.settings import WarmupSettings
from trainers.warmup import LanguageEnd, RoundReport, RoundState

CHUNK = 1 << 17
"""Numbers updated at a time, and those whose sums for the log belong together."""


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
    if parameters.device.type != "cpu":
        return outer_tensors.move_chunk(parameters, ends, moment1, moment2, z, settings)
    from trainers.outer_kernels import move_chunk

    return torch.from_numpy(move_chunk(parameters, ends, moment1, moment2, z, settings))


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

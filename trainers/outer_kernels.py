"""The outer step on a CPU: compiled, one pass over the memory, no lock of the interpreter held.

It does the same operations in the same order as :mod:`trainers.outer_tensors`, so it gives the same
parameters and moments, bit for bit. Only what goes into the log (dot products,
lengths) may be added up as suits the processor.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import carray, njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray
from torch import Tensor

from trainers.outer_tensors import (
    BETA1,
    BETA2,
    EPSILON,
    ranks_of_median,
    ranks_of_trimmed_mean,
)
from trainers.settings import Aggregation, OuterOptimizer, WarmupSettings

BLOCK = 1024
"""Numbers worked on at a time: what lies between reading and writing them fits the first cache."""

LOGGED = {"reassoc", "nsz"}
"""Freedoms of functions that only read numbers and add them up for the log. (Beside a store, one
compilation adds up in another order than the next.)"""

SGD, NESTEROV, ADAM = range(3)


class How(NamedTuple):
    """What a compiled outer step needs of the settings.

    Args:
        are_moves: The languages' ends are how far they moved.
        first: Rank of the smallest move that counts, number by number.
        last: One more than that of the largest; all that there are is the plain mean.
        optimizer: ``SGD``, ``NESTEROV`` or ``ADAM``.
        gamma: Rate of the update.
        decay1: Of the first moment.
        decay2: Of the second moment.
        scale1: Bias correction of the first moment, a factor.
        scale2: Bias correction of the second moment, a factor.
        epsilon: Added to the root of the second moment.
    """

    are_moves: bool
    first: int
    last: int
    optimizer: int
    gamma: float
    decay1: float = 0.0
    decay2: float = 0.0
    scale1: float = 1.0
    scale2: float = 1.0
    epsilon: float = 0.0


def move_chunk(
    parameters: Tensor,
    ends: Sequence[Tensor],
    moment1: Tensor,
    moment2: Tensor,
    z: int,
    settings: WarmupSettings,
) -> "NDArray[np.float64]":
    """As :func:`trainers.outer_tensors.move_chunk`; tensors without gaps, on the CPU."""
    how = how_of(settings, z, len(ends), are_moves=ends[0].dtype is torch.bfloat16)
    ends = [end.float() for end in ends]
    assert all(end.is_contiguous() and len(end) == len(parameters) for end in ends)
    sums = np.zeros(len(ends) ** 2 + 2)
    addresses = np.array([end.data_ptr() for end in ends])
    vectors = [each.numpy() for each in (parameters, moment1, moment2)]
    _move(*vectors, addresses, how, sums)
    return sums


def how_of(settings: WarmupSettings, z: int, count: int, *, are_moves: bool) -> How:
    """``settings`` in round ``z``, from 1, of ``count`` languages."""
    first, last = {
        Aggregation.MEAN: (0, count),
        Aggregation.MEDIAN: ranks_of_median(count),
        Aggregation.TRIMMED_MEAN: ranks_of_trimmed_mean(count, settings.trim),
    }[settings.aggregation]
    gamma = settings.outer_lr
    match settings.outer_optimizer:
        case OuterOptimizer.SGD:
            return How(are_moves, first, last, SGD, gamma)
        case OuterOptimizer.NESTEROV:
            return How(are_moves, first, last, NESTEROV, gamma, settings.momentum)
        case OuterOptimizer.ADAM:
            scales = 1 / (1 - BETA1**z), 1 / (1 - BETA2**z)
            return How(are_moves, first, last, ADAM, gamma, BETA1, BETA2, *scales, EPSILON)


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function, once for all processes where there is a place to keep it."""

    how = {"nogil": True, "error_model": "numpy"} | options  # a check for zero would stop vectors

    def compile_it(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return njit(**how, cache=True)(function)  # type: ignore[no-any-return]
        except RuntimeError:  # neither the code's folder nor the user's cache may be written
            return njit(**how)(function)  # type: ignore[no-any-return]

    return compile_it


@intrinsic  # type: ignore[untyped-decorator]
def _pointer(_context: Any, address: Any) -> Any:
    """The numbers at ``address``; an array of addresses suits any number of languages."""
    signature = types.CPointer(types.float32)(address)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return signature, generate


@compiled()
def _move(parameters, moment1, moment2, addresses, how, sums):  # type: ignore[no-untyped-def]
    count, size = len(addresses), len(parameters)
    move, lost = np.empty(BLOCK), np.empty(BLOCK)
    moves = np.empty((count, BLOCK), np.float32)
    for at in range(0, size, BLOCK):
        block = slice(at, min(at + BLOCK, size))
        old = parameters[block]
        for k in range(count):
            end = carray(_pointer(addresses[k]), size)[block]
            if k == 0:
                _begin_sum(old, count, move)
            if how.are_moves:
                _add_move(end, old, move, moves[k])
            else:
                _add_end(end, old, move, moves[k])
        if how.last - how.first < count:
            _add_ranks(addresses, size, at, old, how, move)
        _divide(move, len(old), how.last - how.first)
        _update(move, moment1[block], moment2[block], len(old), how)
        _take(old, move, lost)
        sums[-2] += _squared_length(move, len(old))
        sums[-1] += _squared_length(lost, len(old))
        _add_dots(moves, len(old), sums)


@compiled()
def _begin_sum(old, count, total):  # type: ignore[no-untyped-def]
    """The sum of the ends begins at minus ``count`` times the start."""
    for i in range(len(old)):
        total[i] = np.float64(old[i]) * -count


@compiled()
def _add_end(end, old, total, move):  # type: ignore[no-untyped-def]
    for i in range(len(old)):
        move[i] = end[i] - old[i]
        total[i] += np.float64(end[i])


@compiled()
def _add_move(end, old, total, move):  # type: ignore[no-untyped-def]
    for i in range(len(old)):
        move[i] = end[i]
        total[i] += np.float64(old[i]) + end[i]


@compiled()
def _divide(total, size, count):  # type: ignore[no-untyped-def]
    divisor = np.float64(count)
    for i in range(size):
        total[i] /= divisor


@compiled()
def _add_ranks(addresses, size, at, old, how, total):  # type: ignore[no-untyped-def]
    """The sum of the moves of the ranks that count, number by number."""
    ranked = np.empty(len(addresses))
    for i in range(len(old)):
        start = np.float64(old[i])
        for k in range(len(addresses)):
            end = np.float64(carray(_pointer(addresses[k]), size)[at + i])
            move = start + end - start if how.are_moves else end - start
            place = k
            while place > 0 and ranked[place - 1] > move:
                ranked[place] = ranked[place - 1]
                place -= 1
            ranked[place] = move
        total[i] = 0.0
        for rank in range(how.first, how.last):
            total[i] += ranked[rank]


@compiled()
def _update(move, moment1, moment2, size, how):  # type: ignore[no-untyped-def]
    """Turn the move into the update, in place."""
    if how.optimizer == SGD:
        for i in range(size):
            move[i] *= how.gamma
    elif how.optimizer == NESTEROV:
        for i in range(size):
            momentum = how.decay1 * np.float64(moment1[i]) + move[i]
            moment1[i] = momentum
            move[i] = (momentum * how.decay1 + move[i]) * how.gamma
    else:
        for i in range(size):
            first = how.decay1 * np.float64(moment1[i]) - (1 - how.decay1) * move[i]
            second = how.decay2 * np.float64(moment2[i]) + (1 - how.decay2) * (move[i] * move[i])
            moment1[i] = first
            moment2[i] = second
            root = np.sqrt(second * how.scale2) + how.epsilon
            move[i] = first / root * (-how.gamma * how.scale1)


@compiled()
def _take(parameters, update, lost):  # type: ignore[no-untyped-def]
    """Take the update; what rounding took from it goes into ``lost``."""
    for i in range(len(parameters)):
        old = np.float64(parameters[i])
        parameters[i] = np.float32(old + update[i])
        lost[i] = old - np.float64(parameters[i]) + update[i]


@compiled(fastmath=LOGGED)
def _squared_length(values, size):  # type: ignore[no-untyped-def]
    """Of the first ``size`` values."""
    length = 0.0
    for i in range(size):
        length += values[i] * values[i]
    return length


@compiled(fastmath=LOGGED)
def _add_dots(moves, size, sums):  # type: ignore[no-untyped-def]
    """Add the dot products of all pairs of moves."""
    count = len(moves)
    for a in range(count):
        one = moves[a]
        for b in range(a + 1):
            other = moves[b]
            dot = np.float32(0)
            for i in range(size):
                dot += one[i] * other[i]
            sums[a * count + b] += dot
            if a != b:
                sums[b * count + a] += dot

"""Test sets drawn again and again: what differences would be by chance alone, and how
far they scatter. :mod:`experiments.reports.significance` makes tests of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.floating]

EXCHANGES = 10_000
"""The smallest p over sentences is 1 / 10,001."""

DRAWS = 2_000
"""Of the bootstrap; enough for its percentiles to one digit."""

SEED = 1
"""Of all that is drawn here: a report made again says the same."""

_AT_ONCE = 500
"""Resamples of which the weights are in memory together."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two strategies and the seeds with which both were tested, at least one."""

    ours: str
    theirs: str
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Counts:
    """Spans of one test set, sentence by sentence (N), of many models (M).

    Args:
        models: Strategy and seed of every row.
        correct: Right spans, ``(M, N)``.
        predicted: Predicted spans, ``(M, N)``.
        gold: Gold spans, ``(N,)``.
    """

    models: tuple[tuple[str, int], ...]
    correct: NDArray[np.float32]
    predicted: NDArray[np.float32]
    gold: NDArray[np.float32]

    def rows(self, strategy: str, seeds: Sequence[int]) -> list[int]:
        """Where the models of ``strategy`` are, in the order of ``seeds``."""
        return [self.models.index((strategy, seed)) for seed in seeds]

    def seeds_of(self, strategy: str) -> set[int]:
        """The seeds with which ``strategy`` was tested."""
        return {seed for name, seed in self.models if name == strategy}


def f1(correct: Numbers, predicted: Numbers, gold: Numbers | float) -> Floats:
    """Micro-F1 in percent of sums of spans; 0 where there are none.

    >>> f1(np.array([1.0, 0.0]), np.array([2.0, 0.0]), np.array([4.0, 0.0])).round(2).tolist()
    [33.33, 0.0]
    """
    spans = np.asarray(predicted, dtype=np.float64) + gold
    scores = np.zeros(spans.shape)
    np.divide(200.0 * correct, spans, out=scores, where=spans > 0)
    return scores


def differences(counts: Counts, pair: Pair) -> Floats:
    """F1 of ours less theirs, seed by seed, in points, ``(S,)``."""
    gold = float(counts.gold.sum())
    scores = f1(counts.correct.sum(axis=1), counts.predicted.sum(axis=1), gold)
    return scores[counts.rows(pair.ours, pair.seeds)] - scores[counts.rows(pair.theirs, pair.seeds)]


def exchanged(
    counts: Counts, pairs: Sequence[Pair], rng: np.random.Generator, resamples: int = EXCHANGES
) -> dict[Pair, Floats]:
    """Mean differences if it were chance which of the two predicted what, ``(R,)`` each.

    In every resample each sentence is exchanged with probability 1/2, all seeds of it together:
    what seeds predict for one sentence is not independent.
    """
    # Exchanging moves the sum over the exchanged sentences from one side to the other.
    moved = _sums(_coins(len(counts.gold), rng, resamples), counts)
    all_correct, all_predicted = counts.correct.sum(axis=1), counts.predicted.sum(axis=1)
    gold = float(counts.gold.sum())

    def mean_difference(pair: Pair) -> Floats:
        ours, theirs = (counts.rows(name, pair.seeds) for name in (pair.ours, pair.theirs))
        gained = moved.correct[:, theirs] - moved.correct[:, ours]
        more = moved.predicted[:, theirs] - moved.predicted[:, ours]
        here = f1(all_correct[ours] + gained, all_predicted[ours] + more, gold)
        there = f1(all_correct[theirs] - gained, all_predicted[theirs] - more, gold)
        return np.asarray((here - there).mean(axis=1))

    return {pair: mean_difference(pair) for pair in pairs}


def bootstrapped(
    counts: Counts, pairs: Sequence[Pair], rng: np.random.Generator, resamples: int = DRAWS
) -> dict[Pair, Floats]:
    """Mean differences on sentences and seeds drawn with replacement, ``(R,)`` each.

    Sentences are drawn by ``rng``; seeds are drawn alike for equally many of them, so that an
    average over languages keeps the models of a seed together.
    """
    sums = _sums(_draws(len(counts.gold), rng, resamples), counts)
    scores = f1(sums.correct, sums.predicted, sums.gold[:, None])

    def mean_difference(pair: Pair) -> Floats:
        ours, theirs = (counts.rows(name, pair.seeds) for name in (pair.ours, pair.theirs))
        each = scores[:, ours] - scores[:, theirs]
        number = len(pair.seeds)
        times = np.random.default_rng([SEED, number]).multinomial(
            number, [1 / number] * number, size=resamples
        )
        return np.asarray((each * times).sum(axis=1) / number)

    return {pair: mean_difference(pair) for pair in pairs}


@dataclass(frozen=True)
class _Sums:
    """Weighted sums over sentences, of R weightings: ``(R, M)``, ``(R, M)`` and ``(R,)``."""

    correct: Floats
    predicted: Floats
    gold: Floats


def _sums(weights: Iterator[NDArray[np.float32]], counts: Counts) -> _Sums:
    """Whole numbers far below 2^24, so float32 products are exact."""
    columns = np.vstack([counts.correct, counts.predicted, counts.gold[None]]).T
    every = np.concatenate([some @ columns for some in weights]).astype(np.float64)
    models = len(counts.models)
    return _Sums(every[:, :models], every[:, models:-1], every[:, -1])


def _coins(number: int, rng: np.random.Generator, resamples: int) -> Iterator[NDArray[np.float32]]:
    for start in range(0, resamples, _AT_ONCE):
        rows = min(_AT_ONCE, resamples - start)
        packed = np.frombuffer(rng.bytes(rows * (number // 8 + 1)), np.uint8).reshape(rows, -1)
        yield np.unpackbits(packed, axis=1, count=number).astype(np.float32)


def _draws(number: int, rng: np.random.Generator, resamples: int) -> Iterator[NDArray[np.float32]]:
    """How often each of ``number`` things was drawn in as many draws."""
    for start in range(0, resamples, _AT_ONCE):
        rows = min(_AT_ONCE, resamples - start)
        drawn = rng.integers(number, size=(rows, number))
        drawn += number * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * number)
        yield times.reshape(rows, number).astype(np.float32)

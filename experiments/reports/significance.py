"""Is one strategy better than another, on other sentences and with other seeds? (docs/reports.md)

Two sources of chance, two tests, both paired:

* over sentences, approximate randomisation (Noreen 1989) with the difference in micro-F1 as the
  statistic, as F1 needs it (Yeh 2000): the two strategies exchange what they predicted for a
  sentence, all seeds together, or they do not;
* over seeds, Student's t on the seeds' differences (Reimers and Gurevych 2017 on why one must).

A difference counts as real if both reject, so the larger p stands (an intersection-union test,
Berger 1982), after Holm's (1979) correction for all comparisons of a report. The interval is the
paired Multi-Bootstrap of Sellam et al. (2022): seeds and sentences are both drawn again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

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

INTERVAL = (2.5, 97.5)
"""Percentiles between which 95 % of the bootstrap's differences lie."""

_AT_ONCE = 500
"""Resamples of which the weights are in memory together."""

_TIE = 1e-9
"""Differences in F1 that are closer than this are equal but for rounding."""


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


def p_over_sentences(observed: float, null: Floats) -> float:
    """Two-sided p of an observed difference; the observed one counts among the resamples, so that
    p is never 0 (Phipson and Smyth 2010).

    >>> p_over_sentences(2.0, np.array([-2.0, 0.5, 1.0]))
    0.5
    """
    extreme = int((np.abs(null) >= abs(observed) - _TIE).sum())
    return (1 + extreme) / (1 + len(null))


def p_over_seeds(each: Floats) -> float | None:
    """Two-sided p of Student's paired t; None for a single seed, of which nothing follows."""
    from scipy.stats import ttest_1samp

    if len(each) < 2:
        return None
    if np.ptp(each) < _TIE:  # t has no spread to stand on
        return 1.0 if abs(each[0]) < _TIE else 0.0
    return float(ttest_1samp(each, 0.0).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """P values such that calling those below a level real is wrong anywhere at most that often.

    Holm, *A simple sequentially rejective multiple test procedure*, 1979: the k-th smallest of m,
    from 0, is taken m - k times, and no p becomes smaller than one before it.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    times = np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(times * np.asarray(p_values)[order]))
    return [float(p) for p in adjusted]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A strategy beside a baseline on one language, or on the average of all.

    Args:
        strategy: Whose difference it is.
        baseline: What it is compared with.
        column: Language, or ``avg``.
        seeds: With which both were tested.
        difference: Mean over those of F1 less the baseline's, in points.
        interval: In which 95 % of the bootstrap's differences lie.
        p_sentences: Over sentences.
        p_seeds: Over seeds; None for one.
        p: The larger of the two, corrected for all comparisons made with it.
    """

    strategy: str
    baseline: str
    column: str
    seeds: tuple[int, ...]
    difference: float
    interval: tuple[float, float]
    p_sentences: float
    p_seeds: float | None
    p: float

    @property
    def is_significant(self) -> bool:
        """At the 5 % level, all comparisons together."""
        return self.p < 0.05


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be compared: a pair on one language, or on the mean of several."""

    column: str
    languages: tuple[str, ...]
    pair: Pair


def answer(tests: Mapping[str, Counts], questions: Sequence[Question]) -> list[Comparison]:
    """Compare; p is corrected for the number of questions."""
    asked: dict[str, dict[Pair, None]] = {}
    for question in questions:
        for language in question.languages:
            asked.setdefault(language, {})[question.pair] = None
    null = {one: exchanged(tests[one], list(asked[one]), _rng("x", one)) for one in asked}
    drawn = {one: bootstrapped(tests[one], list(asked[one]), _rng("b", one)) for one in asked}
    raw = [_compare(tests, question, null, drawn) for question in questions]
    larger = [max(one.p_sentences, one.p_seeds or 0.0) for one in raw]
    return [_corrected(one, p) for one, p in zip(raw, holm(larger), strict=True)]


def _rng(*what: str) -> np.random.Generator:
    return np.random.default_rng([SEED, *"/".join(what).encode()])


def _compare(
    tests: Mapping[str, Counts],
    question: Question,
    null: Mapping[str, Mapping[Pair, Floats]],
    drawn: Mapping[str, Mapping[Pair, Floats]],
) -> Comparison:
    """Without the correction. Languages are independent of each other, so resamples of their mean
    are means of their resamples.
    """
    pair, languages = question.pair, question.languages
    each = np.mean([differences(tests[one], pair) for one in languages], axis=0)
    observed = float(each.mean())
    low, high = np.percentile(np.mean([drawn[one][pair] for one in languages], axis=0), INTERVAL)
    by_chance = np.mean([null[one][pair] for one in languages], axis=0)
    return Comparison(
        pair.ours,
        pair.theirs,
        question.column,
        pair.seeds,
        observed,
        (float(low), float(high)),
        p_over_sentences(observed, by_chance),
        p_over_seeds(each),
        p=float("nan"),
    )


def _corrected(one: Comparison, p: float) -> Comparison:
    return replace(one, p=p)

"""Significance: against every exchange there is, against scipy, and by hand."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.reports.significance import (
    Counts,
    Pair,
    Question,
    answer,
    bootstrapped,
    differences,
    exchanged,
    f1,
    holm,
    p_over_seeds,
    p_over_sentences,
)
from tests.generators import law

SENTENCES = 9


def counts(seed: int = 0, seeds: int = 2, sentences: int = SENTENCES, edge: float = 0.4) -> Counts:
    """Models of ``warm`` and ``cold``; the warm ones find more by ``edge``."""
    rng = np.random.default_rng(seed)
    gold = rng.integers(0, 4, sentences)
    models = tuple((name, s) for name in ("cold", "warm") for s in range(seeds))
    shares = [0.5 + edge * (name == "warm") for name, _ in models]
    correct = np.array([rng.binomial(gold, share) for share in shares])
    predicted = correct + rng.integers(0, 2, correct.shape)
    return Counts(models, *(one.astype(np.float32) for one in (correct, predicted, gold)))


def pair(seeds: int = 2) -> Pair:
    return Pair("warm", "cold", tuple(range(seeds)))


def brute_force(found: Counts, seeds: int) -> float:
    """Share of all 2^N exchanges of sentences with a mean difference at least as large."""
    warm, cold = (found.rows(name, range(seeds)) for name in ("warm", "cold"))

    def difference(swapped: tuple[bool, ...]) -> float:
        swap = np.array(swapped)
        scores = []
        for ours, theirs in zip(warm, cold, strict=True):
            for here, there in ((ours, theirs), (theirs, ours)):
                correct = np.where(swap, found.correct[there], found.correct[here]).sum()
                predicted = np.where(swap, found.predicted[there], found.predicted[here]).sum()
                scores.append(200 * correct / (predicted + found.gold.sum()))
        return sum(scores[::2]) - sum(scores[1::2])

    every = [difference(swapped) for swapped in product([False, True], repeat=len(found.gold))]
    return float(np.mean(np.abs(every) >= abs(every[0]) - 1e-9))


@pytest.mark.parametrize("seeds", [1, 3])
def test_p_over_sentences_is_that_of_every_exchange_there_is(seeds: int) -> None:
    for seed in range(3):
        found = counts(seed, seeds)
        null = exchanged(found, [pair(seeds)], np.random.default_rng(1))[pair(seeds)]
        observed = float(differences(found, pair(seeds)).mean())
        # 10,000 exchanges: four standard errors of a share are at most 0.02.
        expected = brute_force(found, seeds)
        assert p_over_sentences(observed, null) == pytest.approx(expected, abs=0.02)


def test_p_over_sentences_is_that_of_scipys_permutation_test() -> None:
    found = counts(5, 1, edge=0.2)
    rows = np.stack([found.correct, found.predicted], axis=1).astype(float)  # (M, 2, N)

    def statistic(warm: np.ndarray, cold: np.ndarray, axis: int) -> np.ndarray:
        # Sentences are known by their number in one sample and by minus that in the other.
        scores = []
        for side in (warm, cold):
            which = np.abs(side).astype(int) - 1
            model = (side > 0).astype(int)
            correct, predicted = (rows[model, k, which].sum(axis=axis) for k in (0, 1))
            scores.append(200 * correct / (predicted + found.gold.sum()))
        return np.asarray(scores[0] - scores[1])

    number = np.arange(1, SENTENCES + 1)
    expected = stats.permutation_test(
        (number, -number), statistic, permutation_type="samples", n_resamples=np.inf
    )
    assert expected.statistic == pytest.approx(float(differences(found, pair(1))[0]))
    null = exchanged(found, [pair(1)], np.random.default_rng(1))[pair(1)]
    assert p_over_sentences(expected.statistic, null) == pytest.approx(expected.pvalue, abs=0.02)


def test_the_other_way_round_the_same_exchanges_have_the_opposite_sign() -> None:
    found, back = counts(), Pair("cold", "warm", (0, 1))
    null = exchanged(found, [pair(), back], np.random.default_rng(1))
    assert np.allclose(null[pair()], -null[back])


def test_intervals_over_sentences_are_those_of_scipys_bootstrap() -> None:
    found = counts(1, 1, sentences=200)
    ours = bootstrapped(found, [pair(1)], np.random.default_rng(1), 5000)[pair(1)]

    def statistic(which: np.ndarray, axis: int) -> np.ndarray:
        gold = found.gold[which].sum(axis=axis)
        cold, warm = (
            f1(
                found.correct[k][which].sum(axis=axis),
                found.predicted[k][which].sum(axis=axis),
                gold,
            )
            for k in (0, 1)
        )
        return warm - cold

    theirs = stats.bootstrap(
        (np.arange(200),),
        statistic,
        vectorized=True,
        n_resamples=5000,
        method="percentile",
        rng=np.random.default_rng(2),
    )
    low, high = np.percentile(ours, [2.5, 97.5])
    interval = theirs.confidence_interval
    assert (low, high) == pytest.approx((interval.low, interval.high), abs=0.6)
    assert np.std(ours) == pytest.approx(theirs.standard_error, rel=0.06)


def test_seeds_that_differ_widen_the_interval_and_seeds_that_agree_do_not() -> None:
    one = counts(3, 1, sentences=60)
    cold, warm = one.rows("cold", [0])[0], one.rows("warm", [0])[0]

    def copies(spoilt: int) -> Counts:
        """Four seeds with equal models, of which some lost all that they found right."""
        models = tuple((name, s) for name in ("cold", "warm") for s in range(4))
        rows = [cold] * 4 + [warm] * 4
        correct, predicted = one.correct[rows].copy(), one.predicted[rows]
        correct[4 : 4 + spoilt] = 0
        return Counts(models, correct, predicted, one.gold)

    def width(found: Counts, seeds: int) -> float:
        drawn = bootstrapped(found, [pair(seeds)], np.random.default_rng(1))[pair(seeds)]
        return float(np.ptp(np.percentile(drawn, [2.5, 97.5])))

    assert width(copies(0), 4) == pytest.approx(width(one, 1))
    assert width(copies(2), 4) > 3 * width(one, 1)


def test_models_that_predict_the_same_do_not_differ() -> None:
    found = counts()
    same = Counts(
        found.models, found.correct[[0, 1, 0, 1]], found.predicted[[0, 1, 0, 1]], found.gold
    )
    (compared,) = answer({"de": same}, [Question("de", ("de",), pair())])
    assert (compared.difference, compared.interval) == (0.0, (0.0, 0.0))
    assert (compared.p_sentences, compared.p_seeds, compared.p) == (1.0, 1.0, 1.0)


def test_an_average_has_the_mean_of_the_differences_and_less_chance_than_its_languages() -> None:
    tests = {"de": counts(1, sentences=50), "es": counts(2, sentences=50)}
    questions = [Question(one, (one,), pair()) for one in tests]
    de, es, both = answer(tests, [*questions, Question("avg", ("de", "es"), pair())])
    assert both.difference == pytest.approx((de.difference + es.difference) / 2)
    widths = [one.interval[1] - one.interval[0] for one in (de, es, both)]
    assert widths[2] < min(widths[:2])
    assert both.p_sentences <= max(de.p_sentences, es.p_sentences)


def test_a_difference_counts_only_if_it_holds_over_sentences_and_over_seeds() -> None:
    (compared,) = answer({"de": counts(1, sentences=400)}, [Question("de", ("de",), pair())])
    assert compared.p_sentences < 0.001
    each = differences(counts(1, sentences=400), pair())
    assert compared.p_seeds == pytest.approx(stats.ttest_rel(each, [0.0, 0.0]).pvalue)
    assert compared.p == max(compared.p_sentences, compared.p_seeds)


def test_answers_are_the_same_every_time() -> None:
    asked = [Question("de", ("de",), pair())]
    assert answer({"de": counts()}, asked) == answer({"de": counts()}, asked)


def test_one_seed_says_nothing_of_others_and_equal_seeds_need_no_t() -> None:
    assert p_over_seeds(np.array([3.0])) is None
    assert p_over_seeds(np.array([0.0, 0.0])) == 1.0
    assert p_over_seeds(np.array([2.0, 2.0])) == 0.0
    # t = 2 / (1 / sqrt(3)) with 2 degrees of freedom.
    assert p_over_seeds(np.array([1.0, 2.0, 3.0])) == pytest.approx(2 * stats.t.sf(12**0.5, 2))


def test_holm_is_worked_by_hand() -> None:
    # Sorted .01 .02 .03 .04, times 4 3 2 1: .04 .06 .06 .04, and never below the one before.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@law
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_no_correction_and_bonferronis_and_keeps_the_order(
    p_values: list[float],
) -> None:
    adjusted = holm(p_values)
    for p, corrected in zip(p_values, adjusted, strict=True):
        assert p <= corrected <= min(1.0, len(p_values) * p)
    order = np.argsort(p_values, kind="stable")
    assert all(np.diff(np.array(adjusted)[order]) >= 0)

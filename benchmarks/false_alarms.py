"""How often the tests of a report call chance a difference: `python -m benchmarks.false_alarms`.

Two strategies that differ in nothing but the seeds of their models are compared time and again.
With a spread, every model finds a share of the spans of its own, as models of different seeds do.
A test that is right is wrong in at most 5 % of the studies, and 95 % of the intervals hold 0.
"""

import numpy as np

from experiments.reports.resampling import Counts, Pair, bootstrapped, differences, exchanged
from experiments.reports.significance import INTERVAL, p_over_seeds, p_over_sentences

STUDIES, SENTENCES, RESAMPLES = 200, 300, 1000


def models(rng: np.random.Generator, seeds: int, spread: float) -> Counts:
    """Twice so many models of the same strategy on one test set, easy and hard sentences in it."""
    gold = rng.poisson(1.2, SENTENCES)
    easy = rng.beta(3, 2, SENTENCES)
    shares = np.clip(easy + rng.normal(0, spread, (2 * seeds, 1)), 0.02, 0.98)
    correct = rng.binomial(gold, shares)
    predicted = correct + rng.binomial(gold - correct, 0.5)
    names = tuple((name, seed) for name in ("one", "other") for seed in range(seeds))
    return Counts(names, *(each.astype(np.float32) for each in (correct, predicted, gold)))


def alarms(seeds: int, spread: float) -> list[float]:
    """Shares of the studies: p < .05 over sentences, over seeds, over both; 0 in the interval."""
    found = []
    for study in range(STUDIES):
        rng = np.random.default_rng(study)
        counts = models(rng, seeds, spread)
        pair = Pair("one", "other", tuple(range(seeds)))
        each = differences(counts, pair)
        null = exchanged(counts, [pair], rng, RESAMPLES)[pair]
        low, high = np.percentile(bootstrapped(counts, [pair], rng, RESAMPLES)[pair], INTERVAL)
        by_sentences = p_over_sentences(float(each.mean()), null)
        by_seeds = p_over_seeds(each)
        both = max(by_sentences, by_seeds or 0.0)
        found.append([by_sentences < 0.05, (by_seeds or 0.0) < 0.05, both < 0.05, low <= 0 <= high])
    return [float(share) for share in np.mean(found, axis=0)]


def main() -> None:
    print("seeds  spread  p sentences  p seeds   both  0 in interval")
    for seeds in (1, 3, 5):
        for spread in (0.0, 0.03):
            sentences, over_seeds, both, interval = alarms(seeds, spread)
            shown = "      -" if seeds == 1 else f"{over_seeds:7.1%}"
            first = f"{seeds:5}  {spread:6.2f}  {sentences:11.1%}  {shown}"
            print(f"{first}  {both:5.1%}  {interval:13.1%}")


if __name__ == "__main__":
    main()

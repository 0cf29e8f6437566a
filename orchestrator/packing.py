"""Languages onto workers, so that the last worker is done as early as can be."""

from collections.abc import Mapping, Sequence


def pack(costs: Mapping[str, float], workers: int) -> list[list[str]]:
    """Languages of each worker: the costliest first, each to whoever has least so far.

    No worker is left without a language; there may be fewer shares than ``workers``. The longest
    share is at most a third longer than it could be (Graham 1969).

    >>> pack({"de": 3, "es": 5, "nl": 2, "fr": 3}, 2)
    [['es', 'nl'], ['de', 'fr']]
    """
    shares: list[list[str]] = [[] for _ in range(min(workers, len(costs)))]
    loads = [0.0] * len(shares)
    for language in sorted(costs, key=lambda one: (-costs[one], one)):
        least = loads.index(min(loads))
        shares[least].append(language)
        loads[least] += costs[language]
    return shares


def longest(shares: Sequence[Sequence[str]], costs: Mapping[str, float]) -> float:
    """Cost of the share that is done last."""
    return max(sum(costs[language] for language in share) for share in shares)

"""How long steps take: a rough guess by kind, until steps of this store say better."""

from collections import defaultdict
from collections.abc import Iterable

from orchestrator.reuse import Finished
from orchestrator.steps.base import Step

COST = {
    "translate": 50.0,
    "project": 2.0,
    "encode": 5.0,
    "probe": 5.0,
    "warmup": 100.0,
    "finetune": 100.0,
    "evaluate": 10.0,
}
"""Rough seconds of each kind. Only their ratios matter: to start the longest chains first, and to
guess the time left."""

ENOUGH = 8
"""Measured steps of a kind that give its mean well enough."""


class Durations:
    """Expected seconds of a step: the mean over measured ones of its kind.

    A kind that was not measured yet is guessed from :data:`COST` and from how far that guess was
    off for the kinds that were.
    """

    def __init__(self) -> None:
        self._measured: dict[str, list[float]] = defaultdict(list)

    def learn(self, steps: Iterable[Step], store: Finished) -> None:
        """Take in what ``steps``, which are done, took."""
        for step in steps:
            if len(self._measured[step.kind]) < ENOUGH:
                self.note(step, float(store.record(step)["seconds"]))

    def note(self, step: Step, seconds: float) -> None:
        """``step`` took ``seconds``."""
        self._measured[step.kind].append(seconds)

    def expected(self, step: Step) -> float:
        """Seconds that ``step`` will take."""
        measured = self._measured.get(step.kind)
        if measured:
            return sum(measured) / len(measured)
        return COST[step.kind] * self._pace()

    def _pace(self) -> float:
        """Measured over guessed seconds, of all kinds that were measured."""
        means = {kind: sum(all_) / len(all_) for kind, all_ in self._measured.items() if all_}
        guessed = sum(COST[kind] for kind in means)
        return sum(means.values()) / guessed if guessed else 1.0

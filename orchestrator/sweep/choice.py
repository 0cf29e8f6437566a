"""What a sweep chose for a study, and where that comes from."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

from pydantic import BaseModel

from orchestrator.fingerprints import canonical
from orchestrator.sweep.records import Sweep, Trial, best
from orchestrator.sweep.space import Settings
from projection.errors import InputError


class Choice(BaseModel, frozen=True, extra="forbid"):
    """The winner of a sweep; a study that has taken its settings says so under ``chosen``."""

    sweep: str
    """Fingerprint of the sweep."""
    study: str
    """Whose sweep it was, by name."""
    strategy: str
    """Of the sweep."""
    trial: str
    """Fingerprint of the trial."""
    number: int
    """Of the trial in its sweep."""
    metric: str
    """That judged the trials."""
    score: float
    """Mean over seeds, in percent."""
    spread: float
    """Sample standard deviation over seeds; 0 for one."""
    seeds: tuple[int, ...]
    """Of the trial."""
    of_trials: int
    """Finished trials of which it was the best, when it was taken."""
    settings: Settings
    """By dotted name."""

    def tags(self) -> dict[str, str]:
        """For the study's run in MLflow."""
        origin = {
            "xlwarm.chosen.sweep": self.sweep,
            "xlwarm.chosen.trial": self.trial,
            "xlwarm.chosen.metric": self.metric,
            "xlwarm.chosen.score": f"{self.score:.4f}",
        }
        return origin | {f"xlwarm.chosen.{name}": str(one) for name, one in self.settings.items()}


def winner_of(sweep: Sweep, trials: Sequence[Trial]) -> Choice:
    """The best trial so far.

    Raises:
        InputError: None has finished.
    """
    won = best(trials)
    if won is None or won.score is None:
        raise InputError(
            f"no trial of the sweep {sweep.fingerprint[:12]} of {sweep.study} has finished, so it "
            "has no winner; `xlwarm sweep` goes on with it"
        )
    return Choice(
        sweep=sweep.fingerprint,
        study=sweep.study,
        strategy=sweep.strategy,
        trial=won.id,
        number=won.number,
        metric=sweep.metric,
        score=won.score,
        spread=won.spread,
        seeds=won.seeds,
        of_trials=sum(one.state == won.state for one in trials),
        settings=won.settings,
    )


def contradiction(settings: BaseModel, choice: Choice) -> str | None:
    """Where ``settings`` are not what ``choice`` says of them, or None."""
    for name, value in choice.settings.items():
        actual: Any = reduce(getattr, name.split("."), settings)
        if canonical(actual) != canonical(value):
            return (
                f"chosen.settings: a sweep chose {name} {value!r}, but here it is {actual!r}; take "
                "`chosen` out if the setting is yours"
            )
    return None

"""What an execution of a sweep goes through: the settings of all trials, less what is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from orchestrator.sweep.points import contains, draws, grid
from orchestrator.sweep.records import Sweep, Trial, TrialState
from orchestrator.sweep.settings import Scheduler, Searcher, SweepSettings
from orchestrator.sweep.space import Settings
from orchestrator.sweep.trials import TrialPlanner, numbered, sweep_block, trial_id
from projection.errors import InputError


@dataclass(frozen=True)
class Agenda:
    """What Tune is to go through.

    Args:
        points: In this order; a searcher that learns goes on with its own ideas.
        trials: In all.
        numbers: Of the trials that are foreseen, by id.
    """

    points: tuple[Settings, ...]
    trials: int
    numbers: dict[str, int]


def agenda(planner: TrialPlanner, sweep: Sweep, known: Sequence[Trial]) -> Agenda:
    """What is to be tried, beside what is ``known``.

    Finished trials are told again to a searcher that learns and to a scheduler that compares;
    others need not hear of them.
    """
    block = sweep_block(planner.study)
    finished = {trial.id for trial in known if trial.state is TrialState.FINISHED}
    if block.searcher in (Searcher.OPTUNA, Searcher.NEVERGRAD):
        points = [t.settings for t in known if contains(sweep.parameters, t.settings)]
        left = block.size - len(known)
        idle = left <= 0 and all(trial.id in finished for trial in known)
        return Agenda((), 0, {}) if idle else Agenda(tuple(points), len(points) + max(0, left), {})
    listed = {trial_id(sweep.fingerprint, one): one for one in _listed(planner, block, known)}
    numbers = numbered(known, list(listed))
    if block.scheduler.name is Scheduler.NONE or set(listed) <= finished:
        listed = {key: one for key, one in listed.items() if key not in finished}
    return Agenda(tuple(listed.values()), len(listed), numbers)


def _listed(planner: TrialPlanner, block: SweepSettings, known: Sequence[Trial]) -> list[Settings]:
    """All points of a grid, or enough draws that there are as many trials as were asked for."""
    space = block.parameters
    if block.searcher is Searcher.GRID:
        return [_plain(planner, one) for one in islice(grid(space), block.size)]
    earlier = {tuple(trial.settings.items()): trial.settings for trial in known}
    found = dict(earlier)
    for drawn in islice(draws(space, block.search_seed), 10 * block.size):
        if len(found) >= block.size:
            break
        settings = _plain(planner, drawn)
        found.setdefault(tuple(settings.items()), settings)
    return [one for one in found.values() if contains(space, one)]


def _plain(planner: TrialPlanner, drawn: Settings) -> Settings:
    try:
        return planner.settings(drawn)
    except InputError:  # the trial will say so
        return dict(sorted(drawn.items()))

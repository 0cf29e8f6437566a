"""The live view of a sweep."""

import time
from collections.abc import Sequence

from rich.console import Console

from orchestrator.steps_view import StepsView
from orchestrator.sweep.live import States, saved
from orchestrator.sweep.records import Cost, Sweep, Trial, TrialState, best


class SweepView(StepsView):
    """Shows the best so far, trials done and running, the budget, and what sharing has saved.

    Args:
        sweep: Its record.
        size: Trials asked for.
        known: Trials of earlier executions.
        console: Terminal or not.
    """

    def __init__(self, sweep: Sweep, size: int, known: Sequence[Trial], console: Console) -> None:
        super().__init__(console)
        self._sweep, self._size = sweep, size
        self._trials = {trial.id: trial for trial in known}

    def noted(self, trial: Trial) -> None:
        """A line for every trial that ends."""
        before = self._trials.get(trial.id)
        self._trials[trial.id] = trial
        if trial.state is TrialState.RUNNING or (before and before.state is trial.state):
            return
        self.say(f"trial {trial.number} {trial.state}: {outcome_text(trial)}")

    def summary(self, _states: States) -> Sequence[str]:
        """Trials by state, the best so far, the budget, what sharing has saved."""
        trials = list(self._trials.values())
        ended = {state: sum(one.state is state for one in trials) for state in TrialState}
        running = ended[TrialState.RUNNING]
        pending = max(0, self._size - len(trials)) + ended[TrialState.PENDING]
        counts = [f"{ended[state]} {state}" for state in ENDS if ended[state]]
        lines = [", ".join([*counts, f"{running} running", f"{pending} to come"])]
        if winner := best(trials):
            lines.append(f"best {winner.score:.2f}: {settings_text(winner)}")
        if self._sweep.minutes:
            used = (time.monotonic() - self.begin) / 60
            lines.append(f"{used:.0f} of {self._sweep.minutes:g} min used")
        return [*lines, saving_text(*saved(trials))]


ENDS = (TrialState.FINISHED, TrialState.STOPPED, TrialState.FAILED)


def settings_text(trial: Trial) -> str:
    """The settings of a trial in one line."""
    return " ".join(f"{name}={_short(value)}" for name, value in trial.settings.items())


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def outcome_text(trial: Trial) -> str:
    """Score, settings and reason of a trial that has ended, in one line."""
    score = "" if trial.score is None else f"{trial.score:.2f} with "
    reason = f" ({trial.reason})" if trial.reason else ""
    return f"{score}{settings_text(trial)}{reason}"


def saving_text(executed: Cost, alone: Cost) -> str:
    """What sharing has saved.

    >>> saving_text(Cost(warmup=100, finetune=60), Cost(warmup=900, finetune=60))
    'gradient steps: 160 of 960 (warm-up 100 of 900, 9.0 times fewer)'
    """
    text = (
        f"gradient steps: {executed.warmup + executed.finetune} of {alone.warmup + alone.finetune}"
    )
    if not alone.warmup:
        return text
    fewer = f", {alone.warmup / executed.warmup:.1f} times fewer" if executed.warmup else ""
    return f"{text} (warm-up {executed.warmup} of {alone.warmup}{fewer})"

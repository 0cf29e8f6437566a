"""The live view of a sweep: a table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.execute import Failure
from orchestrator.progress import LINE_EVERY, describe, share_done
from orchestrator.steps.base import Step
from orchestrator.sweep.live import States, saved
from orchestrator.sweep.records import Cost, Sweep, Trial, TrialState, best


class SweepView:
    """Shows the best so far, trials done and running, the budget, and what sharing has saved.

    Args:
        sweep: Its record.
        size: Trials asked for.
        known: Trials of earlier executions.
        console: Terminal or not.
    """

    def __init__(self, sweep: Sweep, size: int, known: Sequence[Trial], console: Console) -> None:
        self._sweep, self._size, self._console = sweep, size, console
        self._trials = {trial.id: trial for trial in known}
        self._running: dict[str, tuple[Step, float]] = {}
        self._begin = self._last_line = time.monotonic()
        self._live = Live(console=console, refresh_per_second=2) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def noted(self, trial: Trial) -> None:
        """A line for every trial that ends."""
        before = self._trials.get(trial.id)
        self._trials[trial.id] = trial
        if trial.state is TrialState.RUNNING or (before and before.state is trial.state):
            return
        self._line(f"trial {trial.number} {trial.state}: {outcome_text(trial)}")

    def tick(self, states: States) -> None:
        """Observer: refresh."""
        if self._live:
            self._live.update(self._view(states))
        elif time.monotonic() - self._last_line > LINE_EVERY:
            self._last_line = time.monotonic()
            for step, since in self._running.values():
                where = describe(states.get(step.fingerprint, {}), time.monotonic() - since)
                self._line(f"at     {step.title()}: {where}")
            self._line("; ".join(self._summary()))

    def started(self, step: Step) -> None:
        """Observer: show ``step``."""
        self._running[step.fingerprint] = (step, time.monotonic())

    def finished(self, step: Step) -> None:
        """Observer: it runs no more."""
        self._running.pop(step.fingerprint, None)

    def lost(self, step: Step, failure: Failure) -> None:
        """Observer: say so."""
        self._running.pop(step.fingerprint, None)
        self._console.print(f"[yellow]again[/]  {step.title()}: {failure.message}")

    def failed(self, step: Step, failure: Failure) -> None:
        """Observer: say so."""
        self._running.pop(step.fingerprint, None)
        self._console.print(f"[bold red]failed[/] {step.title()}: {failure.message}")

    def _line(self, text: str) -> None:
        elapsed = time.monotonic() - self._begin
        self._console.print(f"{elapsed:7.0f} s  {text}", highlight=False, soft_wrap=True)

    def _summary(self) -> list[str]:
        trials = list(self._trials.values())
        ended = {state: sum(one.state is state for one in trials) for state in TrialState}
        running = ended[TrialState.RUNNING]
        pending = max(0, self._size - len(trials)) + ended[TrialState.PENDING]
        counts = [f"{ended[state]} {state}" for state in ENDS if ended[state]]
        lines = [", ".join([*counts, f"{running} running", f"{pending} to come"])]
        if winner := best(trials):
            lines.append(f"best {winner.score:.2f}: {settings_text(winner)}")
        if self._sweep.minutes:
            used = (time.monotonic() - self._begin) / 60
            lines.append(f"{used:.0f} of {self._sweep.minutes:g} min used")
        return [*lines, saving_text(*saved(trials))]

    def _view(self, states: States) -> Group:
        table = Table(box=None, pad_edge=False)
        for column in ("running", "", "where it stands"):
            table.add_column(column, no_wrap=True)
        for step, since in self._running.values():
            state = states.get(step.fingerprint, {})
            bar = ProgressBar(total=1.0, completed=share_done(state), width=24)
            table.add_row(step.title(), bar, describe(state, time.monotonic() - since))
        return Group(Text("\n".join(self._summary()), style="bold"), table)


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

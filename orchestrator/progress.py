"""The live view of a running study: a table on a terminal, plain lines elsewhere."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.durations import COST
from orchestrator.execute import Failure
from orchestrator.fingerprints import Json
from orchestrator.steps.base import Step
from orchestrator.steps.evaluate import EvaluateStep
from orchestrator.store import StepStore

State = Mapping[str, Json]

LINE_EVERY = 30.0
"""Seconds between two lines on running steps where there is no terminal."""


class ProgressView:
    """Observer that shows steps done and running, their speed, the time left and the scores so far.

    Args:
        steps: Of the plan.
        store: Read for scores.
        console: Terminal or not.
    """

    def __init__(self, steps: Sequence[Step], store: StepStore, console: Console) -> None:
        self._store = store
        self._console = console
        self._total = Counter(step.kind for step in steps)
        self._done: Counter[str] = Counter()
        self._running: dict[str, tuple[Step, float]] = {}
        self._cost_left = sum(COST[step.kind] for step in steps)
        self._cost_here = 0.0
        self._begin = time.monotonic()
        self._last_line = self._begin
        self._scores: list[str] = []
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

    def started(self, step: Step) -> None:
        """Show ``step`` among the running ones."""
        self._running[step.fingerprint] = (step, time.monotonic())
        self._line(f"start  {step.title()}")

    def finished(self, step: Step) -> None:
        """Count ``step``; show its score."""
        self._done[step.kind] += 1
        self._cost_left -= COST[step.kind]
        _, since = self._running.pop(step.fingerprint, (step, None))
        if since is None:
            return
        self._cost_here += COST[step.kind]
        score = self._score(step)
        self._line(f"done   {step.title()} in {time.monotonic() - since:.0f} s{score}")
        if isinstance(step, EvaluateStep):
            self._scores.append(f"{step.title()}{score}")

    def _score(self, step: Step) -> str:
        outputs = self._store.outputs(step)
        if step.kind == "finetune":
            return f": dev F1 {outputs['dev_f1']:.1f} at step {outputs['best_step']}"
        if step.kind == "evaluate":
            return f": F1 {outputs['micro']['f1']:.1f}"
        if step.kind == "project":
            return f": {outputs['kept']} spans kept, {outputs['drop_rate']:.1%} dropped"
        return ""

    def lost(self, step: Step, failure: Failure) -> None:
        """Say so."""
        self._running.pop(step.fingerprint, None)
        self._console.print(f"[yellow]again[/]  {step.title()}: {failure.message}")

    def failed(self, step: Step, failure: Failure) -> None:
        """Say so."""
        self._running.pop(step.fingerprint, None)
        self._cost_left -= COST[step.kind]
        self._console.print(f"[bold red]failed[/] {step.title()}: {failure.message}")

    def tick(self, states: Mapping[str, State]) -> None:
        """Refresh."""
        if self._live:
            self._live.update(self._view(states))
        elif time.monotonic() - self._last_line > LINE_EVERY:
            self._last_line = time.monotonic()
            for step, since in self._running.values():
                where = describe(states.get(step.fingerprint, {}), time.monotonic() - since)
                self._line(f"at     {step.title()}: {where}")
            self._line(self._summary(states))

    def _line(self, text: str) -> None:
        if not self._live:
            elapsed = time.monotonic() - self._begin
            self._console.print(f"{elapsed:7.0f} s  {text}", highlight=False, soft_wrap=True)

    def _summary(self, states: Mapping[str, State]) -> str:
        counts = "  ".join(f"{kind} {self._done[kind]}/{n}" for kind, n in self._total.items())
        return f"{counts}   {self._time_left(states)}"

    def _time_left(self, states: Mapping[str, State]) -> str:
        begun = sum(
            COST[step.kind] * share_done(states.get(step.fingerprint, {}))
            for step, _ in self._running.values()
        )
        if self._cost_here + begun < COST["finetune"]:
            return "time left: not known yet"
        spent = time.monotonic() - self._begin
        left = spent / (self._cost_here + begun) * (self._cost_left - begun)
        return f"about {left / 60:.0f} min left"

    def _view(self, states: Mapping[str, State]) -> Group:
        table = Table(box=None, pad_edge=False)
        for column in ("running", "", "where it stands"):
            table.add_column(column, no_wrap=True)
        for step, since in self._running.values():
            state = states.get(step.fingerprint, {})
            bar = ProgressBar(total=1.0, completed=share_done(state), width=24)
            table.add_row(step.title(), bar, describe(state, time.monotonic() - since))
        latest = "\n".join(self._scores[-6:])
        return Group(Text(self._summary(states), style="bold"), table, Text(latest, style="dim"))


def share_done(state: State) -> float:
    """Share of a running step that is done, 0 to 1, by what it last reported.

    >>> share_done({"done": 50, "of": 200, "loss": 0.25})
    0.25
    """
    done, of = state.get("done", 0), state.get("of", 1)
    assert isinstance(done, int)
    assert isinstance(of, int)
    return done / of


def describe(state: State, seconds: float) -> str:
    """Steps, speed and loss of a running step.

    >>> describe({"done": 50, "of": 100, "loss": 0.25}, 10.0)
    '50/100, 5.0/s, loss 0.250'
    """
    if not state:
        return f"{seconds:.0f} s"
    done, loss = state["done"], state["loss"]
    assert isinstance(done, int)
    assert isinstance(loss, float)
    return f"{done}/{state['of']}, {done / max(seconds, 1e-9):.1f}/s, loss {loss:.3f}"

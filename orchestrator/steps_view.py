"""Steps that run, shown live: a table on a terminal, plain lines elsewhere."""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.execute import Failure, Observer
from orchestrator.fingerprints import Json
from orchestrator.steps.base import Step

State = Mapping[str, Json]

LINE_EVERY = 30.0
"""Seconds between two lines on running steps where there is no terminal."""


class StepsView(Observer, ABC):
    """Observer of an execution; shown while its context lasts.

    Args:
        console: Terminal or not.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.running: dict[str, tuple[Step, float]] = {}
        """Steps by fingerprint, and since when."""
        self.begin = self._last_line = time.monotonic()
        self.live = Live(console=console, refresh_per_second=2) if console.is_terminal else None

    @abstractmethod
    def summary(self, states: Mapping[str, State]) -> Sequence[str]:
        """How it stands with the whole, in lines."""

    def below(self) -> Sequence[RenderableType]:
        """What a terminal shows under the running steps."""
        return ()

    def __enter__(self) -> Self:
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.live:
            self.live.stop()

    def started(self, step: Step) -> None:
        """Show ``step`` among the running ones."""
        self.running[step.fingerprint] = (step, time.monotonic())

    def finished(self, step: Step) -> None:
        """It runs no more."""
        self.running.pop(step.fingerprint, None)

    def lost(self, step: Step, failure: Failure) -> None:
        """Say so."""
        self.running.pop(step.fingerprint, None)
        self.console.print(f"[yellow]again[/]  {step.title()}: {failure.message}")

    def failed(self, step: Step, failure: Failure) -> None:
        """Say so."""
        self.running.pop(step.fingerprint, None)
        self.console.print(f"[bold red]failed[/] {step.title()}: {failure.message}")

    def dropped(self, step: Step) -> None:
        """It runs no more."""
        self.running.pop(step.fingerprint, None)

    def tick(self, states: Mapping[str, State]) -> None:
        """Refresh."""
        if self.live:
            self.live.update(self._view(states))
        elif time.monotonic() - self._last_line > LINE_EVERY:
            self._last_line = time.monotonic()
            for step, since in self.running.values():
                where = describe(states.get(step.fingerprint, {}), time.monotonic() - since)
                self.say(f"at     {step.title()}: {where}")
            self.say("; ".join(self.summary(states)))

    def say(self, text: str) -> None:
        """A line, behind the seconds since the beginning."""
        elapsed = time.monotonic() - self.begin
        self.console.print(f"{elapsed:7.0f} s  {text}", highlight=False, soft_wrap=True)

    def _view(self, states: Mapping[str, State]) -> Group:
        table = Table(box=None, pad_edge=False)
        for column in ("running", "", "where it stands"):
            table.add_column(column, no_wrap=True)
        for step, since in self.running.values():
            state = states.get(step.fingerprint, {})
            bar = ProgressBar(total=1.0, completed=share_done(state), width=24)
            table.add_row(step.title(), bar, describe(state, time.monotonic() - since))
        summary = Text("\n".join(self.summary(states)), style="bold")
        return Group(summary, table, *self.below())


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
    """How far a running step is, its speed, and its loss if it trains.

    >>> describe({"done": 50, "of": 100, "loss": 0.25}, 10.0)
    '50/100, 5.0/s, loss 0.250'
    >>> describe({"done": 500, "of": 9946}, 10.0), describe({}, 10.0)
    ('500/9946, 50.0/s', '10 s')
    """
    if not state:
        return f"{seconds:.0f} s"
    done, loss = state["done"], state.get("loss")
    assert isinstance(done, int)
    told = "" if loss is None else f", loss {loss:.3f}"
    return f"{done}/{state['of']}, {done / max(seconds, 1e-9):.1f}/s{told}"

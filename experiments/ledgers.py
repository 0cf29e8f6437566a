"""How ``xlwarm status`` shows the cells of studies: a table for people, rows for programs."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from experiments.stores import time_text
from orchestrator.costs import Basis, Costs
from orchestrator.ledger import CellState, LedgerCell, steps_left
from orchestrator.steps.base import Step

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MARKS: Mapping[CellState, str] = {
    CellState.DONE: "●",
    CellState.RUNNING: "◐",
    CellState.MISSING: "·",
    CellState.FAILED: "✗",
}
"""Of a cell in the table, told apart by their shapes."""

UNFINISHED = (CellState.RUNNING, CellState.MISSING, CellState.FAILED)


@dataclass(frozen=True)
class StudyLedger:
    """One study as ``xlwarm status`` shows it."""

    cells: Sequence[LedgerCell]
    here: float | None = None
    """Seconds that the rest would take on this machine, all of it for this study; None: not
    asked for."""


def core_seconds(steps: Iterable[Step], costs: Costs) -> float:
    """Expected time of ``steps`` on a core each, added up; one that runs counts in full."""
    return sum(costs.of(step).seconds for step in steps)


def show_ledger(found: StudyLedger, costs: Costs, console: "Console") -> None:
    """A study's cells, what runs, and why cells failed."""
    cells = found.cells
    first = cells[0]
    console.print(
        f"{first.study}: {first.task}, {first.backbone}; {len(cells)} cells: "
        f"{_counted(cells)}{_in_mlflow(cells)}",
        style="bold",
        soft_wrap=True,
        markup=False,
    )
    console.print(_table(cells, costs))
    seeds = ", ".join(str(seed) for seed in dict.fromkeys(cell.seed for cell in cells))
    legend = "  ".join(f"{mark} {state}" for state, mark in MARKS.items())
    console.print(f"a mark a seed ({seeds}): {legend}", style="dim", soft_wrap=True)
    _show_running(cells, console)
    _show_failed(cells, console)
    if found.here:
        console.print(f"the rest, on this machine alone: {time_text(found.here)}", soft_wrap=True)
    console.print()


def _counted(cells: Sequence[LedgerCell]) -> str:
    counts = Counter(cell.state for cell in cells)
    return ", ".join(f"{counts[state]} {state}" for state in CellState)


def _in_mlflow(cells: Sequence[LedgerCell]) -> str:
    if any(cell.logged is None for cell in cells):
        return ""
    unlogged = sum(cell.state is CellState.DONE and not cell.logged for cell in cells)
    if unlogged:
        return f"; MLflow lacks {unlogged} of the done ones: `xlwarm sync` logs them"
    return "; MLflow has all that are done"


def _table(cells: Sequence[LedgerCell], costs: Costs) -> "Table":
    from rich.table import Table

    known = all(cell.logged is not None for cell in cells)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("strategy", "language", "seeds"):
        table.add_column(column, no_wrap=True)
    for column in ("done", *(["in MLflow"] if known else []), "steps left", "core time"):
        table.add_column(column, justify="right", no_wrap=True)
    for (strategy, language), group in groupby(cells, lambda one: (one.strategy, one.language)):
        row = list(group)
        left = steps_left(row, *UNFINISHED)
        table.add_row(
            strategy,
            language,
            "".join(MARKS[cell.state] for cell in row),
            f"{sum(cell.state is CellState.DONE for cell in row)} of {len(row)}",
            *([str(sum(bool(cell.logged) for cell in row) or "")] if known else []),
            str(len(left) or ""),
            time_text(core_seconds(left, costs)) if left else "",
        )
    return table


def _show_running(cells: Sequence[LedgerCell], console: "Console") -> None:
    running = {one.fingerprint: (one, holder) for cell in cells for one, holder in cell.holders}
    for step, holder in running.values():
        by = f"by {holder.where or 'somebody'}, heard of {time_text(holder.silent)} ago"
        console.print(f"running: {step.title()}", by, soft_wrap=True, markup=False)


def _show_failed(cells: Sequence[LedgerCell], console: "Console") -> None:
    for note in dict.fromkeys(note for cell in cells for note in cell.why):
        when = note.when.strftime("%Y-%m-%d %H:%M UTC")
        text = f"failed:  {note.title}: {note.message}\n         {when}, log: {note.log}"
        console.print(text, soft_wrap=True, markup=False)


def show_total(found: Sequence[StudyLedger], costs: Costs, console: "Console") -> None:
    """What it takes to finish, every step once however many studies and cells need it."""
    cells = [cell for one in found for cell in one.cells]
    left = steps_left(cells, *UNFINISHED)
    if not left:
        console.print("nothing is left to do")
        return
    missing = steps_left(cells, CellState.MISSING)
    console.print(
        f"to finish: {len(left)} steps, {time_text(core_seconds(left, costs))} of core time; "
        f"{len(missing)} steps, {time_text(core_seconds(missing, costs))} of it for missing cells",
        soft_wrap=True,
    )
    console.print(
        "`xlwarm run --missing` computes the missing cells; `xlwarm run` also tries the failed "
        "ones again and waits for the running ones",
        soft_wrap=True,
    )
    if any(costs.of(step).basis is Basis.GUESS for step in left):
        console.print("some of these times are guesses: `xlwarm plan` says which", soft_wrap=True)


def rows(found: Iterable[StudyLedger], costs: Costs) -> list[dict[str, object]]:
    """One row a cell; ``core_seconds_left`` is what it would take alone."""
    return [
        {
            "study": cell.study,
            "task": cell.task,
            "backbone": cell.backbone,
            "strategy": cell.strategy,
            "language": cell.language,
            "seed": cell.seed,
            "state": cell.state.value,
            "in_mlflow": cell.logged,
            "steps_left": len(cell.left),
            "core_seconds_left": round(core_seconds(cell.left, costs), 1),
            "why": "; ".join(f"{note.title}: {note.message}" for note in cell.why),
            "log": "; ".join(note.log for note in cell.why),
        }
        for one in found
        for cell in one.cells
    ]


def as_csv(table: Sequence[Mapping[str, object]]) -> str:
    """``table`` with a header line."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return out.getvalue()

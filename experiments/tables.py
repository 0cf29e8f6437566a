"""The paper's table: strategies down, target languages and their average across."""

import io
from collections.abc import Mapping, Sequence

from rich.box import MARKDOWN, SIMPLE, Box
from rich.console import Console
from rich.table import Table

from orchestrator.plan import Plan
from orchestrator.results import AVERAGE, Cell, RunResult, cells, results
from orchestrator.store import StepStore

BOXES: Mapping[str, Box] = {"text": SIMPLE, "markdown": MARKDOWN}
"""Formats of ``xlwarm report``."""


def result_table(plan: Plan, found: Sequence[RunResult], format_name: str) -> Table:
    """F1 in percent, mean over seeds and its standard deviation; the best of a column is bold.

    A cell with fewer seeds than the study has says how many; an empty one is not done.
    """
    study = plan.study
    columns = [*study.targets, AVERAGE]
    scores = cells(found, study.targets)
    best = {
        column: max(
            (scores[s, column].mean for s in study.strategies if (s, column) in scores), default=0.0
        )
        for column in columns
    }
    table = Table(box=BOXES[format_name])
    table.add_column("strategy", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column(f"{study.source} dev", justify="right", no_wrap=True)
    for name in study.strategies:
        row = [
            _text(scores.get((name, column)), best[column], len(study.seeds), format_name)
            for column in columns
        ]
        table.add_row(name, *row, _dev(found, name))
    return table


def _text(cell: Cell | None, best: float, num_seeds: int, format_name: str) -> str:
    if cell is None:
        return "-"
    number = f"{cell.mean:.2f}"
    if f"{best:.2f}" == number:
        number = f"**{number}**" if format_name == "markdown" else f"[bold]{number}[/]"
    spread = f" ± {cell.std:.2f}" if cell.seeds > 1 else ""
    partial = f" ({cell.seeds} of {num_seeds} seeds)" if cell.seeds < num_seeds else ""
    return number + spread + partial


def _dev(found: Sequence[RunResult], name: str) -> str:
    models = {(r.seed, r.dev_f1) for r in found if r.strategy == name}
    return f"{sum(f1 for _, f1 in models) / len(models):.2f}" if models else "-"


def render(plan: Plan, store: StepStore, format_name: str, *, colour: bool = False) -> str:
    """The table of a study as text."""
    found = results(plan, store)
    wanted = sum(len(spec.evaluations) for spec in plan.specs)
    out = io.StringIO()
    console = Console(
        file=out, width=120, force_terminal=colour, color_system="standard" if colour else None
    )
    console.print(result_table(plan, found, format_name))
    study = plan.study
    seeds = ", ".join(str(seed) for seed in study.seeds)
    console.print(
        f"{study.name}: exact span F1 (%), {study.source} to {', '.join(study.targets)}, "
        f"{study.backbone.name}, seeds {seeds}; {len(found)} of {wanted} results done."
    )
    return out.getvalue().strip("\n") + "\n"


def logged_tables(plan: Plan, store: StepStore) -> dict[str, str]:
    """What is put beside a study in MLflow."""
    return {
        "report.txt": render(plan, store, "text"),
        "report.md": render(plan, store, "markdown"),
    }

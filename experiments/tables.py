"""The paper's table: strategies down, target languages and their average across."""

from collections.abc import Mapping, Sequence
from textwrap import fill

from experiments.reports.document import NOT_DONE, Cell, Table, number
from experiments.reports.text import TEXT_WIDTH, render_table
from orchestrator.plan import Plan
from orchestrator.results import AVERAGE, RunResult, cells, results
from orchestrator.results import Cell as Score
from orchestrator.store import StepStore
from orchestrator.study import Study

SIGNIFICANT = "†"
"""Mark of what differs from the baseline."""


def result_table(
    study: Study,
    found: Sequence[RunResult],
    significant: frozenset[tuple[str, str]] = frozenset(),
    note: str = "",
) -> Table:
    """F1 in percent, mean over seeds and its standard deviation; the best of a column is bold.

    A cell with fewer seeds than the study has says how many; an empty one is not done.

    Args:
        study: Whose strategies and targets.
        found: What is done.
        significant: Strategy and column of cells that get a mark.
        note: That explains the mark.
    """
    columns = (*study.targets, AVERAGE)
    scores = cells(found, study.targets)
    best = {
        column: max((scores[key].mean for key in scores if key[1] == column), default=0.0)
        for column in columns
    }

    def cell(name: str, column: str) -> Cell:
        mark = SIGNIFICANT if (name, column) in significant else ""
        return score_cell(scores.get((name, column)), best[column], len(study.seeds), mark)

    return Table(
        "scores",
        f"Exact span F1 (%), {study.source} to {', '.join(study.targets)}; mean over seeds and "
        "standard deviation",
        ("strategy", *columns, f"{study.source} dev"),
        tuple(
            (Cell(name), *(cell(name, column) for column in columns), dev_cell(found, name))
            for name in study.strategies
        ),
        note,
    )


def score_cell(score: Score | None, best: float, num_seeds: int, mark: str = "") -> Cell:
    """Mean and deviation of a score.

    Args:
        score: None where nothing is done.
        best: Of the column.
        num_seeds: That the study has; fewer are said.
        mark: That the table's note explains.
    """
    if score is None:
        return Cell(NOT_DONE)
    text = f"{score.mean:.2f}"
    spread = f" ± {score.std:.2f}" if score.seeds > 1 else ""
    partial = f" ({score.seeds} of {num_seeds} seeds)" if score.seeds < num_seeds else ""
    return Cell(text, spread + partial, mark, f"{best:.2f}" == text, score.mean)


def dev_cell(found: Sequence[RunResult], name: str) -> Cell:
    """Mean source-dev F1 of the models of the strategy ``name``."""
    models = {(one.seed, one.dev_f1) for one in found if one.strategy == name}
    return number(sum(f1 for _, f1 in models) / len(models) if models else None)


def render(plan: Plan, store: StepStore, format_name: str, *, colour: bool = False) -> str:
    """The table of a study as text or Markdown, without comparisons: those take seconds."""
    study, found = plan.study, results(plan, store)
    seeds = ", ".join(str(seed) for seed in study.seeds)
    said = (
        f"{study.name}: exact span F1 (%), {study.source} to {', '.join(study.targets)}, "
        f"{study.backbone.name}, seeds {seeds}; {len(found)} of {wanted(plan)} results done."
    )
    table = render_table(result_table(study, found), format_name, colour=colour)
    return f"{table}\n\n{fill(said, TEXT_WIDTH)}\n"


def wanted(plan: Plan) -> int:
    """Results that the study asks for: strategies x seeds x languages."""
    return sum(len(spec.evaluations) for spec in plan.specs)


def logged_tables(plan: Plan, store: StepStore) -> Mapping[str, str]:
    """The tables that are put beside a study in MLflow."""
    return {
        "report.txt": render(plan, store, "text"),
        "report.md": render(plan, store, "markdown"),
    }

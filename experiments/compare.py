"""``xlwarm compare``: the scores of several studies in one table, as the arms of an analysis."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import fill

import click

from experiments.options import plan_of, set_option, store_option
from experiments.reports.across import Arm, arms_of, compare_arms, counterparts
from experiments.reports.document import Cell, Table
from experiments.reports.scores import difference_table, how_tested, significance_note
from experiments.reports.significance import Comparison
from experiments.reports.text import BOXES, TEXT_WIDTH, render_table
from experiments.tables import SIGNIFICANT, dev_cell, score_cell, wanted
from orchestrator.plan import Plan
from orchestrator.results import AVERAGE, RunResult, cells, results
from orchestrator.store import StepStore, open_store, snapshot
from projection.errors import InputError
from trainers.strategies import strategy

SHOWN_DIGITS = 12


@click.command()
@click.argument(
    "studies", nargs=-1, required=True, metavar="STUDY...", type=click.Path(path_type=Path)
)
@store_option
@set_option
@click.option("--only", metavar="STRATEGY,..", help="Only these strategies, where there are any.")
@click.option(
    "--baseline",
    metavar="STUDY[:STRATEGY]",
    help="Also say what differs significantly from this: from one strategy, or from the same one "
    "of another study (from its cold one, where that has no warm start).",
)
@click.option(
    "--format", "format_name", type=click.Choice(list(BOXES)), default="text", show_default=True
)
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file.")
def compare(
    studies: tuple[Path, ...],
    store: str,
    overrides: tuple[str, ...],
    only: str | None,
    baseline: str | None,
    format_name: str,
    out: Path | None,
) -> None:
    """Show the scores of every STUDY in one table, a row for each of its strategies.

    Give --set as for `xlwarm run`; it holds for all of them. With --baseline, a second table has
    the differences to it, with intervals and p, as `xlwarm report` within one study.
    """
    names = [name.strip() for name in only.split(",")] if only else []
    for name in names:
        strategy(name)
    plans = [plan_of(path, overrides, None) for path in studies]
    text = render(plans, snapshot(open_store(store)), names, format_name, baseline)
    if out:
        out.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)


def render(
    plans: Sequence[Plan],
    store: StepStore,
    only: Sequence[str],
    format_name: str,
    baseline: str | None = None,
) -> str:
    """The table, what differs from ``baseline`` if there is one, and where each study's numbers
    come from.

    Raises:
        InputError: The studies are of different tasks, or two have one name; there is no such
            baseline, or it was tested on something else.
    """
    _refuse_others(plans)
    found = {plan.study.name: results(plan, store) for plan in plans}
    differences: list[Comparison] = []
    if baseline:
        pairs = counterparts(arms_of(plans, only), baseline)
        differences = compare_arms(plans, store, pairs)
    parts = [render_table(comparison(plans, found, only, differences), format_name)]
    if baseline:
        parts += _differences(plans, differences, baseline, format_name)
    bullet = "* " if format_name == "markdown" else "  "
    lines = [
        f"{bullet}{plan.study.name}: {plan.study.backbone.name}, seeds "
        f"{', '.join(map(str, plan.study.seeds))}; {len(found[plan.study.name])} of {wanted(plan)} "
        f"results done; study {plan.fingerprint[:SHOWN_DIGITS]}"
        for plan in plans
    ]
    return "\n\n".join((*parts, "\n".join(lines))) + "\n"


def _differences(
    plans: Sequence[Plan], found: Sequence[Comparison], baseline: str, format_name: str
) -> Iterator[str]:
    if not found:
        yield f"Nothing was tested with the same seed as {baseline} yet."
        return
    several = max(len(plan.study.seeds) for plan in plans) > 1
    said = f"Differences to {baseline} {how_tested(len(found), several=several)}"
    yield said if format_name == "markdown" else fill(said, TEXT_WIDTH)
    note = significance_note(f"{SIGNIFICANT} differs from the baseline", several=several)
    yield render_table(difference_table(found, "that of the baseline", note), format_name)


def comparison(
    plans: Sequence[Plan],
    found: Mapping[str, Sequence[RunResult]],
    only: Sequence[str] = (),
    differences: Iterable[Comparison] = (),
) -> Table:
    """F1 in percent, mean over seeds and standard deviation; the best of a column is bold.

    Args:
        plans: Of one task.
        found: What is done, by name of the study.
        only: Strategies to show; nothing for all.
        differences: Of which the significant ones get a mark.
    """
    marked = {(one.strategy, one.column) for one in differences if one.is_significant}
    columns = (*dict.fromkeys(t for plan in plans for t in plan.study.targets), AVERAGE)
    arms = arms_of(plans, only)
    scores = {
        (Arm(plan.study.name, how), column): score
        for plan in plans
        for (how, column), score in cells(found[plan.study.name], plan.study.targets).items()
    }
    best = {
        column: max(
            (scores[arm, column].mean for arm in arms if (arm, column) in scores), default=0.0
        )
        for column in columns
    }
    seeds = {plan.study.name: len(plan.study.seeds) for plan in plans}

    def cell(arm: Arm, column: str) -> Cell:
        mark = SIGNIFICANT if (arm.name, column) in marked else ""
        return score_cell(scores.get((arm, column)), best[column], seeds[arm.study], mark)

    rows = tuple(
        (
            Cell(arm.study),
            Cell(arm.strategy),
            *(cell(arm, column) for column in columns),
            dev_cell(found[arm.study], arm.strategy),
        )
        for arm in arms
    )
    return Table(
        "compare",
        "Exact span F1 (%); mean over seeds and standard deviation",
        ("study", "strategy", *columns, f"{plans[0].study.source} dev"),
        rows,
    )


def _refuse_others(plans: Sequence[Plan]) -> None:
    tasks = sorted({plan.study.task.name for plan in plans})
    if len(tasks) > 1:
        raise InputError(f"scores of different tasks cannot be compared: {', '.join(tasks)}")
    names = [plan.study.name for plan in plans]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"two studies are called {', '.join(twice)}; their rows could not be told")

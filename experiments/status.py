"""``xlwarm status``: done, running, missing and failed cells of studies, and the cost to finish."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiments.ledgers import StudyLedger, as_csv, rows, show_ledger, show_total
from experiments.options import plan_of, set_option, store_option, tracking_option

if TYPE_CHECKING:
    from orchestrator.costs import Costs
    from orchestrator.plan import Plan
    from orchestrator.store import StepStore


@click.command()
@click.argument(
    "studies", nargs=-1, required=True, metavar="STUDY...", type=click.Path(path_type=Path)
)
@store_option
@set_option
@click.option("--only", metavar="STRATEGY,..", help="Only these strategies.")
@tracking_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "csv"]),
    default="text",
    help="json and csv have a row for each cell.",
)
def status(
    studies: tuple[Path, ...],
    store: str,
    overrides: tuple[str, ...],
    only: str | None,
    tracking: str | None,
    form: str,
) -> None:
    """Show what of every STUDY is done, running, missing or failed (and why), strategy by
    language by seed, and what it costs to finish. Nothing is started or written.

    Give --set as for `xlwarm run`: other settings are other steps.
    """
    plans = [plan_of(study, overrides, only) for study in studies]

    from orchestrator.costs import Costs
    from orchestrator.ledger import ledger, standing_in
    from orchestrator.outlook import Outlook, this_machine
    from orchestrator.store import open_store
    from orchestrator.store.inventory import records

    steps = open_store(store)
    known = list(records(steps))
    found = []
    for plan in plans:
        cells = ledger(plan, standing_in(steps, _logged(plan, steps, tracking)))
        unfinished = form == "text" and any(cell.left for cell in cells)
        here = Outlook(plan, steps, known).on(this_machine()).makespan if unfinished else None
        found.append(StudyLedger(cells, here))
    costs = Costs(known)
    if form == "json":
        click.echo(json.dumps(rows(found, costs), indent=1, ensure_ascii=False))
    elif form == "csv":
        click.echo(as_csv(rows(found, costs)), nl=False)
    else:
        _print(found, costs)


def _logged(plan: "Plan", store: "StepStore", tracking: str | None) -> frozenset[str] | None:
    """Results that MLflow has; None, and a word on it, if nobody answers."""
    from orchestrator.logged import default_tracking, logged_results

    uri = tracking or default_tracking(store.root)
    try:
        return logged_results(uri, plan.study.name)
    except Exception as error:  # whatever a server or a database says
        first = str(error).strip().split("\n", 1)[0]
        click.echo(f"MLflow at {uri} does not answer ({type(error).__name__}: {first})", err=True)
        return None


def _print(found: "list[StudyLedger]", costs: "Costs") -> None:
    from rich.console import Console

    console = Console(highlight=False)
    for one in found:
        show_ledger(one, costs, console)
    show_total(found, costs, console)

"""``xlwarm plan``: what a study needs, what is shared, what it costs; starts nothing."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiments.forecasts import forecast_json, show_forecast
from experiments.options import plan_of, study_options
from experiments.stores import time_text
from orchestrator.cluster_file import ClusterFile, read_cluster
from orchestrator.costs import Basis, Estimate
from orchestrator.graph import PICTURES
from orchestrator.outlook import Outlook, this_machine
from orchestrator.store import open_store

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

FILE_WIDTH = 110
"""Characters of a line in a file; a terminal has its own."""


@click.command()
@study_options
@click.option(
    "--cluster",
    "cluster_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Forecast for the nodes that this YAML file describes [default: this machine].",
)
@click.option("--graph", type=click.Choice(list(PICTURES)), help="Write the graph of steps.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file.")
def plan(
    study_file: Path,
    overrides: tuple[str, ...],
    only: str | None,
    store: str,
    cluster_file: Path | None,
    graph: str | None,
    form: str,
    out: Path | None,
) -> None:
    """Show the steps of STUDY: what is shared, what is done, what the rest costs and where it
    would wait. Nothing is started.
    """
    cluster = read_cluster(cluster_file) if cluster_file else None
    outlook = Outlook(plan_of(study_file, overrides, only), open_store(store))
    if graph:
        text = PICTURES[graph](outlook.plan.steps, outlook.is_done)
    elif form == "json":
        content = as_json(outlook, cluster or this_machine())
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    else:
        width = FILE_WIDTH if out else None
        text = _printed(lambda console: show(outlook, cluster or this_machine(), console), width)
    if out:
        out.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)


def _printed(print_to: "Callable[[Console], None]", width: int | None) -> str:
    from rich.console import Console

    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        print_to(console)
    return capture.get()


def show(outlook: Outlook, cluster: ClusterFile, console: "Console") -> None:
    """What is shared, the longest chain, the forecast."""
    study = outlook.plan.study
    asked, distinct = outlook.models()
    console.print(
        f"{study.name}: {len(study.strategies)} strategies x {len(study.targets)} languages x "
        f"{len(study.seeds)} seeds = {asked} models asked for, {distinct} distinct\n",
        soft_wrap=True,
    )
    console.print(_table(outlook))
    chain = outlook.longest_chain()
    if not chain:
        console.print("\nall steps are done: `xlwarm run` would compute nothing")
        return
    total = time_text(sum(outlook.seconds(step) for step in chain))
    console.print(f"\nlongest chain, {total} on a core each:")
    for step in chain:
        console.print(f"  {time_text(outlook.seconds(step)):>7}  {step.title()}")
    show_forecast(cluster, outlook.on(cluster), console)
    if any(one.basis is Basis.GUESS for row in outlook.shared for one in outlook.left(row.kind)):
        console.print(
            "\nguesses are of any machine; steps that were computed into this store, be it of a "
            "smaller study, make the next plan better",
            soft_wrap=True,
        )


def _table(outlook: Outlook) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("steps")
    for column in ("asked for", "distinct", "done", "to do", "each", "core time"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("by")
    for row in outlook.shared:
        left = outlook.left(row.kind)
        total = sum(one.seconds for one in left)
        table.add_row(
            row.kind,
            *(f"{number}" for number in (row.asked, row.distinct, row.done, len(left))),
            time_text(total / len(left)) if left else "",
            time_text(total) if left else "",
            _bases(left),
        )
    return table


def _bases(estimates: Sequence[Estimate]) -> str:
    counts = Counter(one.basis for one in estimates)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{counts[basis]} {basis}" for basis in Basis if counts[basis])


def as_json(outlook: Outlook, cluster: ClusterFile) -> dict[str, object]:
    """The same for programs."""
    asked, distinct = outlook.models()
    return {
        "study": outlook.plan.study.name,
        "fingerprint": outlook.plan.fingerprint,
        "models": {"asked": asked, "distinct": distinct},
        "kinds": [asdict(row) for row in outlook.shared],
        "steps": [
            {
                "kind": step.kind,
                "fingerprint": step.fingerprint,
                "title": step.title(),
                "needs": [needed.fingerprint for needed in step.needs],
                "done": outlook.is_done(step),
                **asdict(outlook.costs.of(step)),
            }
            for step in outlook.plan.steps
        ],
        "longest_chain": [step.fingerprint for step in outlook.longest_chain()],
        "forecast": forecast_json(outlook.on(cluster)),
    }

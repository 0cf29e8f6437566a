"""``xlwarm report``: the results that a study has so far."""

from pathlib import Path

import click

from experiments.options import plan_of, study_options
from experiments.tables import BOXES, render
from orchestrator.store import open_store


@click.command()
@study_options
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(BOXES)),
    default="text",
    show_default=True,
)
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file.")
def report(
    study_file: Path,
    overrides: tuple[str, ...],
    only: str | None,
    store: str,
    format_name: str,
    out: Path | None,
) -> None:
    """Show the table of STUDY; a study that is half done shows what it has."""
    plan = plan_of(study_file, overrides, only)
    text = render(plan, open_store(store), format_name)
    if out:
        out.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)

"""``xlwarm report``: the results that a study has so far."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import click

from experiments.frames import as_csv, result_frame
from experiments.options import (
    STORE_DATABASE,
    plan_of,
    run_command,
    study_options,
    swept_study_of,
)
from experiments.pictures import write_pictures
from experiments.reports.document import Document
from experiments.reports.evidence import Evidence
from experiments.reports.latex import render_latex
from experiments.reports.page import render_page
from experiments.reports.plots import pictures
from experiments.reports.study_report import SECTIONS, study_report
from experiments.reports.text import render_text
from orchestrator.plan import Plan
from orchestrator.store import StepStore, open_store, snapshot
from projection.errors import InputError

if TYPE_CHECKING:
    from orchestrator.driver import Render  # imports Ray

RENDERERS: Mapping[str, Callable[[Document], str]] = MappingProxyType(
    {
        "text": lambda document: render_text(document, "text", colour=True),
        "markdown": lambda document: render_text(document, "markdown"),
        "latex": render_latex,
        "html": render_page,
    }
)
"""By name; text is for a terminal."""

FORMATS = (*RENDERERS, "csv")

LOGGED_PAGE = "report.html"
"""Name of the page in MLflow."""


@click.command()
@study_options
@click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
)
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file.")
@click.option(
    "--sections",
    metavar="NAME,..",
    help=f"Only these of {', '.join(SECTIONS)}.",
)
@click.option(
    "--baseline",
    metavar="STRATEGY",
    help="Compare with this strategy [default: the best in each column that has no warm start].",
)
@click.option(
    "--sweep",
    "of_sweep",
    is_flag=True,
    help="Show the sweep of STUDY instead: its trials, the best setting, what matters, its cost.",
)
@click.option(
    "--png",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Write the figures there as PNG as well.",
)
@click.option(
    "--log",
    "tracking",
    is_flag=False,
    flag_value=STORE_DATABASE,
    metavar="[URI]",
    help="With --sweep: put all of it beside the sweep's run in MLflow [default: in the store].",
)
def report(
    study_file: Path,
    overrides: tuple[str, ...],
    only: str | None,
    store: str,
    format_name: str,
    out: Path | None,
    sections: str | None,
    baseline: str | None,
    of_sweep: bool,
    folder: Path | None,
    tracking: str | None,
) -> None:
    """Show the results of STUDY; a study that is half done shows what it has.

    CSV has one row a strategy, language and seed; the other formats have tables, comparisons,
    errors, costs and where every number comes from, the HTML page also figures.

    With --sweep it is the report of STUDY's sweep; CSV has one row a trial.
    """
    if of_sweep:
        if sections:
            raise InputError("--sections is for the report of a study; leave out --sweep")
        from experiments.sweep_reports import report_sweep

        study = swept_study_of(study_file, overrides, only)
        report_sweep(study, open_store(store), format_name, out, folder, tracking)
        return
    keys = _section_keys(sections, format_name)
    if tracking:
        raise InputError("--log is for the report of a sweep; give --sweep as well")
    plan = plan_of(study_file, overrides, only)
    if baseline and baseline not in plan.study.strategies:
        known = ", ".join(plan.study.strategies)
        raise InputError(f"--baseline {baseline}: the study has {known}")

    command = run_command(study_file, overrides, only)
    evidence = Evidence(plan, snapshot(open_store(store)), command, baseline)
    text = rendered(evidence, format_name, keys)
    if out:
        out.write_text(click.unstyle(text), encoding="utf-8")
    else:
        click.echo(text, nl=False)
    if folder:
        write_pictures(folder, pictures(evidence))
    if evidence.missing:
        number = sum(map(len, evidence.missing.values()))
        click.echo(f"{number} results are missing; `{command}` goes on with them", err=True)


def rendered(evidence: Evidence, format_name: str, keys: Sequence[str] = ()) -> str:
    """The report in one of :data:`FORMATS`; of some sections if ``keys`` names any."""
    if format_name == "csv":
        return as_csv(result_frame(evidence.plan, evidence.store))
    return RENDERERS[format_name](study_report(evidence, keys))


def _section_keys(named: str | None, format_name: str) -> list[str]:
    if named is None:
        return []
    if format_name == "csv":
        raise InputError("--sections: csv has rows, no sections; choose another --format")
    keys = [key.strip() for key in named.split(",")]
    for key in keys:
        if key not in SECTIONS:
            raise InputError(f"--sections {key}: a report has {', '.join(SECTIONS)}")
    return keys


def logged_page(command: str) -> "Render":
    """Makes the HTML page that is put beside a study in MLflow; none where it cannot be made."""

    def make(plan: Plan, store: StepStore) -> Mapping[str, str]:
        try:
            return {LOGGED_PAGE: rendered(Evidence(plan, snapshot(store), command), "html")}
        except Exception as error:
            click.echo(f"no {LOGGED_PAGE} for MLflow ({type(error).__name__}: {error})", err=True)
            return {}

    return make

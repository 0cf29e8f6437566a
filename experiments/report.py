"""``xlwarm report``: the results that a study has so far."""

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import click

from experiments.frames import as_csv, result_frame
from experiments.options import STORE_DATABASE, plan_of, study_options, swept_study_of
from experiments.reports.evidence import Evidence
from experiments.reports.latex import render_latex
from experiments.reports.page import render_page
from experiments.reports.study_report import study_report
from experiments.reports.text import render_text
from orchestrator.store import open_store
from projection.errors import InputError

FORMATS: Mapping[str, Callable[[Evidence], str]] = MappingProxyType(
    {
        "text": lambda evidence: render_text(study_report(evidence), "text"),
        "markdown": lambda evidence: render_text(study_report(evidence), "markdown"),
        "latex": lambda evidence: render_latex(study_report(evidence)),
        "csv": lambda evidence: as_csv(result_frame(evidence.plan, evidence.store)),
        "html": lambda evidence: render_page(study_report(evidence)),
    }
)


@click.command()
@study_options
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(FORMATS)),
    default="text",
    show_default=True,
)
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file.")
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
    "pictures",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="With --sweep: write its drawings there as well.",
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
    baseline: str | None,
    of_sweep: bool,
    pictures: Path | None,
    tracking: str | None,
) -> None:
    """Show the results of STUDY; a study that is half done shows what it has.

    CSV has one row a strategy, language and seed; the other formats have tables, comparisons,
    errors, costs and where every number comes from, the HTML page also figures.

    With --sweep it is the report of STUDY's sweep; CSV has one row a trial.
    """
    if of_sweep:
        from experiments.sweep_reports import report_sweep

        study = swept_study_of(study_file, overrides, only)
        report_sweep(study, open_store(store), format_name, out, pictures, tracking)
        return
    if pictures or tracking:
        raise InputError("--png and --log are for the report of a sweep; give --sweep as well")
    plan = plan_of(study_file, overrides, only)
    if baseline and baseline not in plan.study.strategies:
        known = ", ".join(plan.study.strategies)
        raise InputError(f"--baseline {baseline}: the study has {known}")

    command = run_command(study_file, overrides, only)
    evidence = Evidence(plan, open_store(store), command, baseline)
    text = FORMATS[format_name](evidence)
    if out:
        out.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)
    if evidence.missing:
        number = sum(map(len, evidence.missing.values()))
        click.echo(f"{number} results are missing; `{command}` goes on with them", err=True)


def run_command(study_file: Path, overrides: tuple[str, ...], only: str | None) -> str:
    """The command line that computes what a report shows.

    >>> run_command(Path("my study.yaml"), ("seeds=[1, 2]",), "zero-shot")
    "xlwarm run 'my study.yaml' --set 'seeds=[1, 2]' --only zero-shot"
    """
    words = ["xlwarm", "run", str(study_file)]
    for one in overrides:
        words += ["--set", one]
    return shlex.join(words + (["--only", only] if only else []))

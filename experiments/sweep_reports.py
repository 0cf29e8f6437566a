"""``xlwarm report --sweep``: a sweep's report on the terminal, in files, and in MLflow."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiments.options import STORE_DATABASE
from experiments.pictures import write_pictures
from experiments.reports.sweep_figures import drawings, pngs
from experiments.reports.sweep_report import FORMATS, logged_files

if TYPE_CHECKING:
    from orchestrator.store import StepStore
    from orchestrator.study import Study


def report_sweep(
    study: "Study",
    store: "StepStore",
    format_name: str,
    out: Path | None,
    folder: Path | None,
    tracking: str | None,
) -> None:
    """Show the sweep of ``study`` as far as it has come.

    Args:
        study: With a ``sweep`` block.
        store: Where the sweep's records are.
        format_name: One of the formats of a report.
        out: File to write to; None prints.
        folder: For the drawings as PNG; None: not wanted.
        tracking: MLflow URI (or ``STORE_DATABASE``) to log to; None: not wanted.

    Raises:
        InputError: The store has no such sweep, or MLflow has no run of it.
    """
    from orchestrator.sweep.taking import sweep_of_study

    records = sweep_of_study(study, store)
    sweep, trials = records.sweep(), records.trials()
    assert sweep is not None  # its records were found
    text = FORMATS[format_name](sweep, trials)
    if out:
        out.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)
    if folder:
        write_pictures(folder, pngs(drawings(sweep, trials)))
    if tracking:
        from orchestrator.logged import default_tracking
        from orchestrator.sweep.artefacts import log_report

        uri = default_tracking(store.root) if tracking == STORE_DATABASE else tracking
        run = log_report(uri, sweep, logged_files(sweep, trials))
        click.echo(f"logged beside the run {run} at {uri}", err=True)

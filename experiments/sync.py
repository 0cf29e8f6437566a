"""``xlwarm sync``: MLflow again, from the store or from a bundle."""

from pathlib import Path

import click

from experiments.options import (
    plan_of,
    register_option,
    run_command,
    study_options,
    tracking_option,
)
from projection.errors import InputError


@click.command()
@study_options
@tracking_option
@click.option(
    "--bundle",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write what would be logged into this file instead, for a machine that has a network.",
)
@register_option
def sync(
    study_file: Path,
    overrides: tuple[str, ...],
    only: str | None,
    store: str,
    tracking: str | None,
    bundle: Path | None,
    register: bool,
) -> None:
    """Bring MLflow up to what the store has of STUDY; repeating it changes nothing.

    STUDY may also be a file that --bundle wrote: it is logged to --tracking; no store is needed.
    """
    if study_file.is_file() and _is_bundle(study_file):
        _log_bundle(study_file, tracking)
        return
    plan = plan_of(study_file, overrides, only)

    from experiments.report import logged_page
    from experiments.tables import logged_tables
    from orchestrator.logged import default_tracking
    from orchestrator.store import open_store
    from orchestrator.tracking import Tracker
    from orchestrator.tracking.bundle import write_bundle
    from orchestrator.tracking.content import FINISHED, KILLED

    steps = open_store(store)
    status = FINISHED if all(steps.has_result(step) for step in plan.steps) else KILLED
    page = logged_page(run_command(study_file, overrides, only))
    texts = {**logged_tables(plan, steps), **page(plan, steps)}
    if bundle:
        runs = write_bundle(plan, steps, status, texts, bundle)
        click.echo(f"{runs} runs -> {bundle} (xlwarm sync {bundle} --tracking URI logs them)")
        return
    uri = tracking or default_tracking(steps.root)
    Tracker(plan, steps, uri).finish(status, texts)
    if register:
        from orchestrator.tracking.registry import register_study

        for name in register_study(plan, steps, uri):
            click.echo(f"registered {name}")


def _is_bundle(path: Path) -> bool:
    from zipfile import is_zipfile

    return is_zipfile(path)


def _log_bundle(bundle: Path, tracking: str | None) -> None:
    from orchestrator.tracking.bundle import log_bundle

    if tracking is None:
        raise InputError(f"{bundle}: is a bundle; say with --tracking where it is to be logged")
    click.echo(f"{log_bundle(bundle, tracking)} runs of {bundle} are logged to {tracking}")

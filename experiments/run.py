"""``xlwarm run``."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from experiments.options import study_of, study_options
from orchestrator.environment import is_job_address, prepare_ray

if TYPE_CHECKING:
    from orchestrator.driver import StudyRun
    from orchestrator.study import Study

SHOWN_FAILURES = 20


@click.command()
@study_options
@click.option("--tracking", metavar="URI", help="MLflow tracking URI [default: in the store].")
@click.option(
    "--address",
    metavar="ADDR",
    help="Ray cluster to run on: auto, host:port, ray://host:port, or http://host:port for a job "
    "[default: this machine].",
)
def run(
    study_file: Path,
    overrides: tuple[str, ...],
    only: str | None,
    store: str,
    tracking: str | None,
    address: str | None,
) -> int:
    """Train and test every strategy, language and seed of STUDY.

    What the store has is not computed again: an interrupted run goes on where it stopped.
    """
    if address:
        overrides = (*overrides, f"cluster.address={address}")
    study = study_of(study_file, overrides, only)
    if is_job_address(study.cluster.address):
        return _run_as_job(study, store, tracking)
    return _run_here(study, store, tracking)


def _run_as_job(study: "Study", store: str, tracking: str | None) -> int:
    prepare_ray(study.cluster.address)

    from orchestrator.jobs import pack_study, run_job

    options = ("--tracking", tracking) if tracking else ()
    with TemporaryDirectory(prefix="xlwarm-job-") as folder:
        job = pack_study(study, Path(folder), store=store, options=options)
        return run_job(job, str(study.cluster.address), lambda text: click.echo(text, nl=False))


def _run_here(study: "Study", store: str, tracking: str | None) -> int:
    from orchestrator.plan import make_plan

    plan = make_plan(study)

    prepare_ray(plan.study.cluster.address)

    from rich.console import Console

    from experiments.tables import logged_tables, render
    from orchestrator.driver import default_tracking, run_study
    from orchestrator.store import open_store

    steps = open_store(store, 60 * plan.study.cluster.store_patience_minutes)
    uri = tracking or default_tracking(steps.root)
    ended = run_study(plan, steps, uri, logged_tables, Console(stderr=True))
    click.echo(render(plan, steps, "text"), nl=False)
    _say_how_it_ended(ended)
    click.echo(f"MLflow: {uri} (mlflow ui --backend-store-uri {uri})")
    return 1 if ended.outcome.failed else 0


def _say_how_it_ended(ended: "StudyRun") -> None:
    outcome = ended.outcome
    click.echo(
        f"steps: {len(outcome.computed)} computed, {len(outcome.reused)} found in the store, "
        f"{len(outcome.failed)} failed, {len(outcome.skipped)} not possible without those"
    )
    for step, failure in list(outcome.failed.values())[:SHOWN_FAILURES]:
        click.echo(
            f"failed: {step.title()}: {failure.message}\n        log: {failure.log}", err=True
        )
    if ended.tracking_problem:
        click.echo(
            f"MLflow has not got everything ({ended.tracking_problem}); nothing is lost: "
            "`xlwarm sync` with the same study logs it",
            err=True,
        )

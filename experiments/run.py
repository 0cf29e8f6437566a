"""``xlwarm run``."""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from experiments.options import OWN_SWEEP, study_of, study_options, tracking_option
from orchestrator.environment import is_job_address, prepare_ray

if TYPE_CHECKING:
    from orchestrator.driver import StudyRun
    from orchestrator.plan import Plan
    from orchestrator.steps.base import Step
    from orchestrator.store import StepStore
    from orchestrator.study import Study

SHOWN_FAILURES = 20


@click.command()
@study_options
@tracking_option
@click.option(
    "--address",
    metavar="ADDR",
    help="Ray cluster to run on: auto, host:port, ray://host:port, or http://host:port for a job "
    "[default: this machine].",
)
@click.option(
    "--missing",
    is_flag=True,
    help="Only cells (strategy, language, seed) that are missing; failed ones, and those that "
    "another driver computes, are left alone. `xlwarm status` shows which are which.",
)
@click.option(
    "--from-sweep",
    "sweep_source",
    is_flag=False,
    flag_value=OWN_SWEEP,
    metavar="[STUDY|FINGERPRINT]",
    help="Take the settings of the best trial of a sweep in the store: STUDY's own, or that of "
    "another study or fingerprint. Put it behind STUDY.",
)
def run(
    study_file: Path,
    overrides: tuple[str, ...],
    only: str | None,
    store: str,
    tracking: str | None,
    address: str | None,
    missing: bool,
    sweep_source: str | None,
) -> int:
    """Train and test every strategy, language and seed of STUDY.

    What the store has is not computed again: an interrupted run goes on where it stopped. Steps
    that failed are tried again, and those of other drivers waited for; not so with --missing.
    """
    if address:
        overrides = (*overrides, f"cluster.address={address}")
    study = study_of(study_file, overrides, only)
    if sweep_source is not None:
        from experiments.from_sweep import take_winner
        from orchestrator.store import open_store

        study = take_winner(study, sweep_source, overrides, open_store(store))
    if is_job_address(study.cluster.address):
        return _run_as_job(study, store, tracking, missing)
    return _run_here(study, store, tracking, missing)


def _run_as_job(study: "Study", store: str, tracking: str | None, missing: bool) -> int:
    prepare_ray(study.cluster.address)

    from orchestrator.jobs import pack_study, run_job

    options = (*(("--tracking", tracking) if tracking else ()), *(["--missing"] if missing else []))
    with TemporaryDirectory(prefix="xlwarm-job-") as folder:
        job = pack_study(study, Path(folder), store=store, options=options)
        return run_job(job, str(study.cluster.address), lambda text: click.echo(text, nl=False))


def _run_here(study: "Study", store: str, tracking: str | None, missing: bool) -> int:
    from orchestrator.plan import make_plan

    plan = make_plan(study)

    prepare_ray(plan.study.cluster.address)

    from rich.console import Console

    from experiments.tables import logged_tables, render
    from orchestrator.driver import default_tracking, run_study
    from orchestrator.store import open_store
    from orchestrator.sweep.taking import keep_study

    steps = open_store(store, 60 * plan.study.cluster.store_patience_minutes)
    uri = tracking or default_tracking(steps.root)
    if study.chosen:
        kept = f"{steps.location}/{keep_study(plan, steps)}"
        click.echo(f"this study, for `xlwarm report` and to run it again: {kept}", err=True)
    chosen = _missing(plan, steps) if missing else None
    ended = run_study(plan, steps, uri, logged_tables, Console(stderr=True), chosen)
    click.echo(render(plan, steps, "text"), nl=False)
    _say_how_it_ended(ended)
    look = "" if tracking else f" (xlwarm ui --store {store})"
    click.echo(f"MLflow: {uri}{look}")
    return 1 if ended.outcome.failed else 0


def _missing(plan: "Plan", store: "StepStore") -> "list[Step]":
    """Steps behind the cells that nobody has tried; says what becomes of the others."""
    from orchestrator.ledger import CellState, ledger, standing_in, steps_for

    cells = ledger(plan, standing_in(store))
    counts = Counter(cell.state for cell in cells)
    click.echo(
        f"{counts[CellState.MISSING]} of {len(cells)} cells are missing; "
        f"{counts[CellState.FAILED]} failed and {counts[CellState.RUNNING]} running elsewhere are "
        "left alone",
        err=True,
    )
    return steps_for(cells, CellState.MISSING)


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

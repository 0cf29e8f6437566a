"""``xlwarm run``."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from experiments.options import (
    OWN_SWEEP,
    register_option,
    run_command,
    study_of,
    study_options,
    tracking_option,
)
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
@register_option
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
    register: bool,
    address: str | None,
    missing: bool,
    sweep_source: str | None,
) -> int:
    """Train and test every strategy, language and seed of STUDY.

    What the store has is not computed again: an interrupted run goes on where it stopped. Steps
    that failed are tried again, and those of other drivers waited for; not so with --missing.
    """
    command = run_command(study_file, overrides, only)
    if address:
        overrides = (*overrides, f"cluster.address={address}")
    study = study_of(study_file, overrides, only)
    if sweep_source is not None:
        from experiments.from_sweep import take_winner
        from orchestrator.store import open_store

        study = take_winner(study, sweep_source, overrides, open_store(store))
    request = _Request(
        study=study,
        command=command,
        store=store,
        tracking=tracking,
        missing=missing,
        register=register,
    )
    if is_job_address(study.cluster.address):
        return _run_as_job(request)
    return _run_here(request)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What the command line asks for."""

    study: "Study"
    command: str
    """Without what says only where it runs."""
    store: str
    tracking: str | None
    missing: bool
    register: bool


def _run_as_job(request: _Request) -> int:
    address = request.study.cluster.address
    prepare_ray(address)

    from orchestrator.jobs import pack_study, run_job

    options = (
        *(["--tracking", request.tracking] if request.tracking else []),
        *(["--missing"] if request.missing else []),
        *(["--register"] if request.register else []),
    )
    with TemporaryDirectory(prefix="xlwarm-job-") as folder:
        job = pack_study(request.study, Path(folder), store=request.store, options=options)
        return run_job(job, str(address), lambda text: click.echo(text, nl=False))


def _run_here(request: _Request) -> int:
    from orchestrator.plan import make_plan

    plan = make_plan(request.study)

    prepare_ray(plan.study.cluster.address)

    from rich.console import Console

    from experiments.report import logged_page
    from experiments.tables import logged_tables, render
    from orchestrator.driver import run_study
    from orchestrator.logged import default_tracking
    from orchestrator.store import open_store
    from orchestrator.sweep.taking import keep_study

    steps = open_store(request.store, 60 * plan.study.cluster.store_patience_minutes)
    uri = request.tracking or default_tracking(steps.root)
    if plan.study.chosen:
        kept = f"{steps.location}/{keep_study(plan, steps)}"
        click.echo(f"this study, for `xlwarm report` and to run it again: {kept}", err=True)
    chosen = _missing(plan, steps) if request.missing else None
    page = logged_page(request.command)
    console = Console(stderr=True)
    ended = run_study(plan, steps, uri, logged_tables, console, chosen, page)
    click.echo(render(plan, steps, "text"), nl=False)
    _say_how_it_ended(ended)
    if request.register:
        register_models(plan, steps, uri)
    look = "" if request.tracking else f" (xlwarm ui --store {request.store})"
    click.echo(f"MLflow: {uri}{look}")
    return 1 if ended.outcome.failed else 0


def register_models(plan: "Plan", store: "StepStore", uri: str) -> None:
    """Register what was trained; a registry that is away costs no result."""
    from orchestrator.tracking.registry import register_study

    try:
        for name in register_study(plan, store, uri):
            click.echo(f"registered {name}")
    except Exception as error:
        click.echo(
            f"not all models are registered ({type(error).__name__}: {error}); "
            "`xlwarm sync --register` with the same study registers them",
            err=True,
        )


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

"""``xlwarm sweep``: search the settings of a study."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from experiments.options import set_option, store_option, swept_study_of, tracking_option
from orchestrator.environment import is_job_address, prepare_ray, prepare_tune
from projection.errors import InputError

if TYPE_CHECKING:
    from orchestrator.study import Study
    from orchestrator.sweep.driver import SweepRun

SHOWN_TRIALS = 10


@click.command()
@click.argument("study_file", metavar="STUDY", type=click.Path(path_type=Path))
@set_option
@click.option("--only", metavar="STRATEGY", help="Sweep this strategy [default: sweep.strategy].")
@store_option
@tracking_option
@click.option(
    "--address",
    metavar="ADDR",
    help="Ray cluster to run on: auto, host:port, or http://host:port for a job "
    "[default: this machine].",
)
@click.option("--yes", is_flag=True, help="Start a grid however large it is.")
def sweep(
    study_file: Path,
    overrides: tuple[str, ...],
    only: str | None,
    store: str,
    tracking: str | None,
    address: str | None,
    yes: bool,
) -> int:
    """Search the settings that the `sweep:` block of STUDY names, on the source dev set alone.

    Warm-ups, projections and whatever else trials have in common are computed once. An interrupted
    sweep goes on where it stopped; a larger space or more trials continue the same one.
    """
    if address:
        overrides = (*overrides, f"cluster.address={address}")
    study = swept_study_of(study_file, overrides, only)
    _refuse_what_cannot_run(study, yes)
    if is_job_address(study.cluster.address):
        return _sweep_as_job(study, store, tracking)
    return _sweep_here(study, store, tracking)


def _refuse_what_cannot_run(study: "Study", yes: bool) -> None:
    from orchestrator.sweep.settings import GRID_LIMIT, Searcher
    from orchestrator.sweep.trials import sweep_block

    block = sweep_block(study)
    if block.searcher is Searcher.GRID and block.size > GRID_LIMIT and not yes:
        raise InputError(
            f"the grid has {block.size} trials of {len(block.seeds or study.seeds)} seeds each, "
            f"more than {GRID_LIMIT}; give --yes to start it all the same, sweep.trials to try "
            "its first ones, or the searcher random or optuna with a number of trials"
        )
    if (study.cluster.address or "").startswith("ray://"):
        raise InputError(
            f"Ray Tune cannot search through a Ray Client ({study.cluster.address}): start the "
            "sweep on a node with --address auto, or submit it with --address http://HOST:8265"
        )


def _sweep_as_job(study: "Study", store: str, tracking: str | None) -> int:
    prepare_ray(study.cluster.address)

    from orchestrator.jobs import pack_study, run_job

    options = ("--yes", *(("--tracking", tracking) if tracking else ()))
    with TemporaryDirectory(prefix="xlwarm-job-") as folder:
        job = pack_study(study, Path(folder), store=store, command="sweep", options=options)
        return run_job(job, str(study.cluster.address), lambda text: click.echo(text, nl=False))


def _sweep_here(study: "Study", store: str, tracking: str | None) -> int:
    prepare_ray(study.cluster.address)
    prepare_tune()

    from rich.console import Console

    from orchestrator.logged import default_tracking
    from orchestrator.store import open_store
    from orchestrator.sweep.driver import run_sweep

    steps = open_store(store, 60 * study.cluster.store_patience_minutes)
    uri = tracking or default_tracking(steps.root)
    ended = run_sweep(study, steps, uri, Console(stderr=True))
    _say_how_it_ended(ended)
    _log_report(ended, uri)
    look = "" if tracking else f" (xlwarm ui --store {store})"
    click.echo(f"MLflow: {uri}{look}")
    return 1 if any(trial.state == "failed" for trial in ended.trials) else 0


def _log_report(ended: "SweepRun", uri: str) -> None:
    """Tables and drawings beside the sweep's run; a server that is away costs nothing."""
    from experiments.reports.sweep_report import logged_files
    from orchestrator.sweep.artefacts import log_report

    if ended.tracking_problem:
        return
    try:
        log_report(uri, ended.sweep, logged_files(ended.sweep, ended.trials))
    except Exception as error:  # whatever a server says
        click.echo(
            f"the report is not in MLflow ({type(error).__name__}: {error}); "
            "`xlwarm report --sweep --log` puts it there",
            err=True,
        )


def _say_how_it_ended(ended: "SweepRun") -> None:
    from orchestrator.sweep.live import saved
    from orchestrator.sweep.records import TrialState, counts
    from orchestrator.sweep.view import outcome_text, saving_text

    scored = [one for one in ended.trials if one.state is TrialState.FINISHED]
    scored.sort(key=lambda one: (-(one.score or 0.0), one.number))
    for trial in scored[:SHOWN_TRIALS]:
        click.echo(f"{trial.number:5}  {outcome_text(trial)}")
    if len(scored) > SHOWN_TRIALS:
        click.echo(f"       ... and {len(scored) - SHOWN_TRIALS} more: xlwarm report --sweep")
    numbers = counts(ended.trials)
    click.echo("trials: " + ", ".join(f"{n} {state}" for state, n in numbers.items() if n))
    click.echo(saving_text(*saved(ended.trials)))
    for trial in ended.trials:
        if trial.state is TrialState.FAILED:
            click.echo(f"failed: trial {trial.number}: {outcome_text(trial)}", err=True)
    if ended.over:
        click.echo(f"{ended.over}; the same command goes on from here", err=True)
    if ended.tracking_problem:
        click.echo(
            f"MLflow has not got everything ({ended.tracking_problem}); nothing is lost: "
            "the same command logs it",
            err=True,
        )

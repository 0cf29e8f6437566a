"""``xlwarm run --from-sweep``: the winner of a sweep as the settings of a study."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiments.options import OWN_SWEEP, study_of
from orchestrator.sweep.choice import Choice, winner_of
from orchestrator.sweep.naming import value_of
from orchestrator.sweep.records import Sweep, SweepRecords
from orchestrator.sweep.taking import FINGERPRINT, sweep_named, sweep_of_study, with_choice
from projection.errors import InputError

if TYPE_CHECKING:
    from orchestrator.store import StepStore
    from orchestrator.study import Study


def take_winner(
    study: "Study", source: str, overrides: tuple[str, ...], store: "StepStore"
) -> "Study":
    """``study`` with what a sweep chose; says what that is.

    Args:
        study: To be run.
        source: ``OWN_SWEEP``, a study file with a ``sweep`` block, or how a fingerprint begins.
        overrides: Of the command line, for both studies.
        store: Where the sweep's records are.

    Raises:
        InputError: There is no such sweep, it has no winner, or that does not fit.
    """
    records = _records(study, source, overrides, store)
    sweep = records.sweep()
    assert sweep is not None  # its records were found
    choice = winner_of(sweep, records.trials())
    _refuse_both(choice.settings, overrides)
    _say(study, sweep, choice)
    return with_choice(study, choice)


def _records(
    study: "Study", source: str, overrides: tuple[str, ...], store: "StepStore"
) -> SweepRecords:
    if source == OWN_SWEEP:
        return sweep_of_study(study, store)
    if FINGERPRINT.fullmatch(source) and not Path(source).exists():
        return sweep_named(source, store)
    return sweep_of_study(study_of(Path(source), overrides, None), store)


def _refuse_both(names: Iterable[str], overrides: tuple[str, ...]) -> None:
    given = {one.partition("=")[0] for one in overrides}
    for name in names:
        if any(f"{name}.".startswith(f"{key}.") for key in given):
            raise InputError(
                f"--set {name}: the sweep has chosen this setting; leave out one of --set and "
                "--from-sweep"
            )


def _say(study: "Study", sweep: Sweep, choice: Choice) -> None:
    spread = f" ± {choice.spread:.2f}" if len(choice.seeds) > 1 else ""
    click.echo(
        f"settings of trial {choice.number} ({choice.metric} {choice.score:.2f}{spread}), the best "
        f"of {choice.of_trials} finished ones of the sweep {sweep.fingerprint[:12]} of "
        f"{sweep.study}:",
        err=True,
    )
    for name, value in choice.settings.items():
        click.echo(f"  {name}: {value_of(study, name)} -> {value}", err=True)
    for what in ("task", "backbone", "source"):
        ours = value_of(study, what if what == "source" else f"{what}.name")
        if ours != (theirs := getattr(sweep, what)):
            click.echo(
                f"  note: the sweep was of {what} {theirs}, this study is of {ours}", err=True
            )

"""Options that the commands on a study share, and what is made of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from orchestrator.plan import Plan, make_plan
from orchestrator.study_file import read_study

Command = TypeVar("Command", bound=Callable[..., Any])


def study_options(command: Command) -> Command:
    """STUDY, ``--set``, ``--only`` and ``--store``."""
    for decorate in (
        click.option(
            "--store",
            type=click.Path(path_type=Path, file_okay=False),
            default=Path("store"),
            show_default=True,
            help="Folder of the step store.",
        ),
        click.option("--only", metavar="STRATEGY,..", help="Only these strategies."),
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="KEY=VALUE",
            help="Override a setting of the study, such as training.steps=400.",
        ),
        click.argument("study_file", metavar="STUDY", type=click.Path(path_type=Path)),
    ):
        command = decorate(command)
    return command


def plan_of(study_file: Path, overrides: tuple[str, ...], only: str | None) -> Plan:
    """The plan of a study with what the command line says put over it."""
    chosen = (f"strategies=[{only}]",) if only else ()
    return make_plan(read_study(study_file, [*overrides, *chosen]))

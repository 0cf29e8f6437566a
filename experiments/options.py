"""Options that the commands on a study share, and what is made of them."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from orchestrator.plan import Plan
    from orchestrator.study import Study

Command = TypeVar("Command", bound=Callable[..., Any])


store_option = click.option(
    "--store",
    "store",
    default="store",
    show_default=True,
    metavar="FOLDER|URI",
    help="Step store: a folder, or what fsspec can reach, such as s3://bucket/store.",
)

set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a setting of the study, such as training.steps=400.",
)

tracking_option = click.option(
    "--tracking", metavar="URI", help="MLflow tracking URI [default: in the store]."
)

register_option = click.option(
    "--register", is_flag=True, help="Also log the trained models to MLflow and register them."
)

OWN_SWEEP = "its own"
"""Value of ``--from-sweep`` that names no sweep."""

STORE_DATABASE = "in the store"
"""Value of ``--log`` that names no tracking server."""


def study_options(command: Command) -> Command:
    """STUDY, ``--set``, ``--only`` and ``--store``."""
    for decorate in (
        store_option,
        click.option("--only", metavar="STRATEGY,..", help="Only these strategies."),
        set_option,
        click.argument("study_file", metavar="STUDY", type=click.Path(path_type=Path)),
    ):
        command = decorate(command)
    return command


def plan_of(study_file: Path, overrides: tuple[str, ...], only: str | None) -> "Plan":
    """The plan of a study with what the command line says put over it."""
    from orchestrator.plan import make_plan

    return make_plan(study_of(study_file, overrides, only))


def study_of(study_file: Path, overrides: tuple[str, ...], only: str | None) -> "Study":
    """A study with what the command line says put over it."""
    from orchestrator.study_file import read_study

    chosen = (f"strategies=[{only}]",) if only else ()
    return read_study(study_file, [*overrides, *chosen])


def swept_study_of(study_file: Path, overrides: tuple[str, ...], only: str | None) -> "Study":
    """A study whose sweep is meant, of the strategy ``only`` if there is one."""
    return study_of(study_file, (*overrides, *([f"sweep.strategy={only}"] if only else [])), None)


def run_command(study_file: Path, overrides: tuple[str, ...], only: str | None) -> str:
    """The command line that computes what a report shows.

    >>> run_command(Path("my study.yaml"), ("seeds=[1, 2]",), "zero-shot")
    "xlwarm run 'my study.yaml' --set 'seeds=[1, 2]' --only zero-shot"
    """
    words = ["xlwarm", "run", str(study_file)]
    for one in overrides:
        words += ["--set", one]
    return shlex.join(words + (["--only", only] if only else []))

"""The command ``xlwarm``: its commands by name, and what becomes of errors (DESIGN §8)."""

import sys
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import NoReturn

import click

COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "run": ("experiments.run:run", "Run a study: every strategy, language and seed."),
        "plan": ("experiments.plan:plan", "Show what a study needs and costs; start nothing."),
        "sweep": (
            "experiments.sweep:sweep",
            "Search the settings of a study with Ray Tune, sharing warm-ups.",
        ),
        "status": ("experiments.status:status", "Show what is done, running, missing, failed."),
        "report": ("experiments.report:report", "Show the results of a study."),
        "compare": (
            "experiments.compare:compare",
            "Show the scores of several studies.",
        ),
        "sync": ("experiments.sync:sync", "Log a study's finished results to MLflow again."),
        "ui": ("orchestrator.ui:ui", "Show what is logged in MLflow's dashboard."),
        "export": ("experiments.models:export", "Write a trained model as a Hugging Face folder."),
        "predict": ("experiments.models:predict", "Tag text with a trained model."),
        "data": ("experiments.data:data", "Count a study's corpora, beside the paper's."),
        "translate": (
            "orchestrator.translate:translate",
            "Translate a labelled corpus, block for block.",
        ),
        "align": ("orchestrator.align:align", "Align the words of parallel text."),
        "project": (
            "orchestrator.project:project",
            "Carry the labels of a corpus over to its translation.",
        ),
        "store": ("experiments.stores:store", "List, clean and check a step store."),
        "score": ("orchestrator.score:score", "Score predicted spans against gold ones."),
        "doctor": ("orchestrator.doctor:doctor", "Say what this machine has and lacks."),
    }
)
"""Where each command is. Modules are named, not imported: ``--help`` must not wait for torch, and
the layer above must not be imported from here."""

BAD_INPUT, INTERRUPTED = 2, 130


class LazyCommands(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command ``cmd_name``."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="xlwarm")
def xlwarm() -> None:
    """Train and compare cross-lingual sequence taggers on a Ray cluster."""


def main() -> NoReturn:
    """Run the command line; exit codes: 0 done, 1 a step failed, 2 bad input, 130 interrupted."""
    try:
        code = xlwarm.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("\ninterrupted; run the same command again to go on from here", err=True)
        sys.exit(INTERRUPTED)
    except ValueError as error:
        if not _is_input_error(error):
            raise
        click.echo(f"error: {error}", err=True)
        sys.exit(BAD_INPUT)
    sys.exit(code if isinstance(code, int) else 0)


def _is_input_error(error: ValueError) -> bool:
    from projection.errors import InputError

    return isinstance(error, InputError)


if __name__ == "__main__":
    main()

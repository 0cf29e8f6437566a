"""``xlwarm ui``: MLflow's dashboard on what a store's studies have logged."""

import os
import subprocess
import sys
from pathlib import Path

import click

from projection.errors import InputError

LOOPBACK = "127.0.0.1"
DATABASE = "mlflow.db"
NO_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""MLflow would start seven more processes for features of its own that nothing here uses."""


@click.command()
@click.option(
    "--store",
    default="store",
    show_default=True,
    metavar="FOLDER|URI",
    help="Step store whose tracking database is shown.",
)
@click.option("--port", default=5000, show_default=True, type=click.IntRange(1, 65535))
def ui(store: str, port: int) -> int:
    """Show the store's studies in a browser, until Ctrl-C.

    Only this machine can reach the server. For more, see docs/mlflow.md.
    """
    from orchestrator.store import open_store

    command = server_command(open_store(store).root, port)
    click.echo(f"http://{LOOPBACK}:{port}  (Ctrl-C ends it)")
    try:
        return subprocess.call(command, env={**os.environ, **NO_JOBS})
    except KeyboardInterrupt:
        return 0


def server_command(root: Path, port: int) -> list[str]:
    """Starts MLflow's server on the database in ``root``.

    Raises:
        InputError: There is none.
    """
    database = root / DATABASE
    if not database.is_file():
        raise InputError(
            f"{database}: no such file; `xlwarm run` or `xlwarm sync` writes it, unless --tracking "
            "names another place"
        )
    where = ("--backend-store-uri", f"sqlite:///{database}", "--host", LOOPBACK)
    return [sys.executable, "-m", "mlflow", "server", *where, "--port", str(port), "--workers", "1"]

"""A PostgreSQL server for one test, from the programs of Debian's package."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.mlflow_servers import free_port

ACCOUNT = "postgres"
"""Runs the server where the tests run as root, which PostgreSQL refuses to."""


def _program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    program = str(found[-1]) if found else shutil.which(name)
    if program is None:
        pytest.skip(f"no PostgreSQL here ({name}); apt-get install postgresql")
    return program


@contextmanager
def postgres() -> Iterator[str]:
    """URI of an empty database on the loopback; the server and its data go at the end."""
    pytest.importorskip("psycopg", reason="no driver of PostgreSQL; pip install psycopg[binary]")
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    user = ACCOUNT if os.geteuid() == 0 else None
    # Not under the test's own folder, which another account may not enter.
    with TemporaryDirectory(prefix="xlwarm-postgres-") as folder:
        if user:
            shutil.chown(folder, user)
        data, port = f"{folder}/data", free_port()
        where = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"

        def call(*command: str) -> None:
            subprocess.run(command, check=True, capture_output=True, user=user, cwd=folder)

        call(initdb, "-D", data, "-U", "xlwarm", "-A", "trust", "-E", "UTF8", "--locale", "C")
        subprocess.run(
            [pg_ctl, "-D", data, "-o", where, "-w", "-l", f"{folder}/log", "start"],
            check=True,
            user=user,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield f"postgresql+psycopg://xlwarm@127.0.0.1:{port}/postgres"
        finally:
            call(pg_ctl, "-D", data, "-m", "immediate", "stop")

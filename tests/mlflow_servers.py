"""Servers for tests: started, killed, started again on the same data."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from urllib.error import URLError
from urllib.request import urlopen

START_SECONDS = 240
NO_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""Seven processes fewer."""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Server:
    """A process that answers at ``/health``; its address stays the same.

    Args:
        command: Starts it.
        folder: It runs there, and leaves its log there.
        port: On which it listens.
        environment: Beside that of the test.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        port: int,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.folder = folder
        self.uri = f"http://127.0.0.1:{port}"
        self._command, self._environment = command, environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environment},
                cwd=self.folder,
                start_new_session=True,
            )
        give_up = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up:
                self.kill()
                raise RuntimeError((self.folder / "server.log").read_text()[-3000:])
            time.sleep(0.2)

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.uri}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def kill(self) -> None:
        """Without a chance to end well."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


class MlflowServer(Server):
    """A tracking server on ``backend`` with its artefacts in ``folder``."""

    def __init__(
        self,
        folder: Path,
        backend: str | None = None,
        options: tuple[str, ...] = (),
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        port = free_port()
        where = ("--backend-store-uri", backend or f"sqlite:///{folder / 'server.db'}")
        artefacts = ("--artifacts-destination", str(folder / "artefacts"))
        command = [sys.executable, "-m", "mlflow", "server", *where, *artefacts, *options]
        command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
        super().__init__(command, folder, port, {**NO_JOBS, **environment})

"""``xlwarm ui``: the server that it starts, and what it refuses."""

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.ui import server_command, ui
from projection.errors import InputError


def test_the_dashboard_listens_on_the_loopback_and_shows_the_database_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlflow.db").touch()
    called: list[list[str]] = []
    monkeypatch.setattr(subprocess, "call", lambda command, env: called.append(command) or 0)
    shown = CliRunner().invoke(ui, ["--store", str(tmp_path), "--port", "5005"])
    assert shown.stdout.startswith("http://127.0.0.1:5005")
    (command,) = called
    options = dict(zip(command[4::2], command[5::2], strict=True))
    assert options["--host"] == "127.0.0.1"
    assert options["--backend-store-uri"] == f"sqlite:///{tmp_path / 'mlflow.db'}"


def test_a_store_without_a_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mlflow\.db: no such file"):
        server_command(tmp_path, 5000)
    assert not (tmp_path / "mlflow.db").exists()

"""Figures as files in a folder, for ``--png``."""

from collections.abc import Mapping
from pathlib import Path

import click


def write_pictures(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put ``files`` into ``folder``, made if need be, and say so."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
        click.echo(f"wrote {folder / name}", err=True)

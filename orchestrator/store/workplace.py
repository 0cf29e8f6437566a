"""Folders of this machine: where steps are computed, and where remote artefacts are kept."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psutil


@contextmanager
def work_folder() -> Iterator[Path]:
    """An empty folder that is gone afterwards; what killed processes left is removed on the way.

    It lies in ``$XLWARM_WORK``, or where this machine keeps temporary files.
    """
    place = Path(os.environ.get("XLWARM_WORK") or Path(tempfile.gettempdir()) / _own_name())
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    _remove_orphans(place)
    folder = place / f"{os.getpid()}-{uuid4().hex}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _own_name() -> str:
    return f"xlwarm-work-{os.getuid()}"


def _remove_orphans(place: Path) -> None:
    for folder in place.iterdir():
        pid = folder.name.partition("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def cache_folder(uri: str) -> Path:
    """Where this machine keeps what it has of the store ``uri``."""
    named = os.environ.get("XLWARM_CACHE")
    home = Path(named).expanduser() if named else Path.home() / ".cache" / "xlwarm"
    return home / "stores" / hashlib.sha256(uri.encode()).hexdigest()[:16]

"""Where a test's step store may lie: in a folder, or behind a URI."""

from pathlib import Path
from uuid import uuid4

STORES = ("folder", "file", "memory")


def store_location(kind: str, folder: Path) -> Path | str:
    """An empty place of this ``kind``, in ``folder`` if it is on the disk at all."""
    if kind == "memory":
        return f"memory://{uuid4().hex}/store"
    (folder / "store").mkdir()
    # As a URI of another file system, so that nothing is done to the folder directly.
    return folder / "store" if kind == "folder" else f"dir::file://{folder / 'store'}"

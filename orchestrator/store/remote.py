"""A store behind an fsspec URI: a bucket, or anything else that fsspec speaks to."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from orchestrator.store.files import sizes_in
from projection.errors import InputError

EXCLUSIVE = frozenset({"file", "local", "memory", "s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"})
"""Protocols whose file systems refuse to create a file twice (fsspec's mode "create"); elsewhere
the one who wrote last wins, and everybody looks after a moment."""

SETTLE_SECONDS = 2.0
"""That moment."""


class RemoteFiles:
    """Files below ``uri``; see :class:`~orchestrator.store.files.Files` for what each method does.

    Args:
        uri: Such as ``s3://bucket/store``; credentials come from where its file system looks.

    Raises:
        InputError: The protocol is not known, or its package is not installed.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        protocol = uri.partition("://")[0]
        try:
            filesystem, self._root = fsspec.url_to_fs(uri)
        except (ImportError, ValueError) as error:
            raise InputError(
                f"the store {uri}: {error} (for s3:// `pip install s3fs`, for gs:// "
                "`pip install gcsfs`; `python -c 'import fsspec; "
                "print(fsspec.available_protocols())'` lists all)"
            ) from None
        self._files: Any = filesystem
        # Others write to the store, so what a listing said a moment ago says nothing.
        filesystem.use_listings_cache = False
        self._exclusive = protocol in EXCLUSIVE

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def exists(self, name: str) -> bool:
        """True if there is such a file."""
        return bool(self._files.isfile(self._path(name)))

    def read(self, name: str) -> bytes:
        """Content of a file; FileNotFoundError if there is none."""
        return bytes(self._files.cat_file(self._path(name)))

    def write(self, name: str, content: bytes) -> None:
        """Put a file in place; object stores do so whole or not at all."""
        self._make_parent(name)
        self._files.pipe_file(self._path(name), content)

    def create(self, name: str, content: bytes) -> bool:
        """Put a file in place unless there is one."""
        self._make_parent(name)
        try:
            self._create(self._path(name), content)
        except FileExistsError:
            return False
        if self._exclusive:
            return True
        time.sleep(SETTLE_SECONDS)
        return self.read(name) == content

    def _create(self, path: str, content: bytes) -> None:
        if isinstance(self._files, LocalFileSystem):
            # Its pipe_file looks first and writes then; only open() is one act.
            with self._files.open(path, "xb") as file:
                file.write(content)
        else:
            self._files.pipe_file(path, content, mode="create")

    def _make_parent(self, name: str) -> None:
        self._files.makedirs(self._path(name).rpartition("/")[0], exist_ok=True)

    def names(self, folder: str) -> list[str]:
        """What lies directly in a folder, sorted."""
        try:
            found = self._files.ls(self._path(folder), detail=False)
        except FileNotFoundError:
            return []
        return sorted(path.rstrip("/").rpartition("/")[2] for path in found)

    def sizes(self, folder: str) -> dict[str, int]:
        """Bytes of every file below a folder."""
        base = self._path(folder)
        found = self._files.find(base, detail=True)
        # find() knows a path with or without the slash that the root may begin with.
        return {
            path[path.index(base.strip("/")) + len(base.strip("/")) + 1 :]: int(info["size"])
            for path, info in found.items()
        }

    def age(self, name: str) -> float:
        """Seconds since a file was last written."""
        written: datetime = self._files.modified(self._path(name))
        if written.tzinfo is None:
            written = written.replace(tzinfo=UTC)
        return (datetime.now(UTC) - written).total_seconds()

    def publish(self, work: Path, folder: str, last: str) -> None:
        """Upload every file, ``last`` at the end."""
        if self.exists(f"{folder}/{last}"):
            raise FileExistsError(self._path(f"{folder}/{last}"))
        for name in sorted(sizes_in(work), key=lambda name: name == last):
            self._make_parent(f"{folder}/{name}")
            self._files.put_file(str(work / name), self._path(f"{folder}/{name}"))

    def fetch(self, folder: str, to: Path) -> None:
        """Download every file of a folder."""
        for name in self.sizes(folder):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            self._files.get_file(self._path(f"{folder}/{name}"), str(to / name))

    def move(self, folder: str, to: str) -> None:
        """Copy and remove every file; a marker such as DONE sorts first and goes first."""
        for name in sorted(self.sizes(folder)):
            self._make_parent(f"{to}/{name}")
            self._files.mv(self._path(f"{folder}/{name}"), self._path(f"{to}/{name}"))
        self.remove(folder)

    def remove(self, folder: str) -> None:
        """Remove a file, or a folder with all that is in it."""
        try:
            self._files.rm(self._path(folder), recursive=True)
        except FileNotFoundError:
            return

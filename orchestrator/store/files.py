"""Where a store's files lie: one protocol, and the local folder behind it.

Names are relative to the store and have slashes. Everything above (steps, leases, quarantine) is
written against :class:`Files` alone, so a folder and a bucket behave alike.
"""

import errno
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar
from uuid import uuid4

from tenacity import Retrying, retry_if_exception, stop_after_attempt

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

ARRIVING = "partial/arriving"
"""Where a finished step lies that is being copied in from another file system."""

IN_THE_WAY = (errno.ENOENT, errno.EEXIST, errno.EISDIR, errno.ENOTEMPTY)
"""What is said of a folder that somebody else makes, removes or writes into at the same moment."""

ATTEMPTS = 10
"""Others are done with it soon; a disk that says so for another reason is heard at the end."""


class Files(Protocol):
    """A tree of files."""

    def exists(self, name: str) -> bool:
        """True if there is such a file."""

    def read(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            FileNotFoundError: There is none.
        """

    def write(self, name: str, content: bytes) -> None:
        """Put a file in place, whole or not at all; replaces what was there."""

    def create(self, name: str, content: bytes) -> bool:
        """Put a file in place unless there is one; of several callers one gets True."""

    def names(self, folder: str) -> list[str]:
        """What lies directly in a folder, sorted; nothing if there is no such folder."""

    def sizes(self, folder: str) -> dict[str, int]:
        """Bytes of every file below a folder, by its name relative to the folder."""

    def age(self, name: str) -> float:
        """Seconds since a file was last written, by the clocks of its server and of this machine.

        Raises:
            FileNotFoundError: There is none.
        """

    def publish(self, work: Path, folder: str, last: str) -> None:
        """Put the local folder ``work`` in place; nobody sees it without the file ``last``.

        ``work`` may be gone afterwards. May be repeated after it failed.

        Raises:
            FileExistsError: There is such a folder already.
        """

    def fetch(self, folder: str, to: Path) -> None:
        """Copy a folder to the local folder ``to``, which does not exist."""

    def move(self, folder: str, to: str) -> None:
        """Move a folder; no error if it is not there."""

    def remove(self, folder: str) -> None:
        """Remove a file, or a folder with all that is in it; no error if it is not there."""


def _though_others_work_there(act: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """``act``, once more where somebody else was in its way."""

    @wraps(act)
    def again(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        attempts = Retrying(
            retry=retry_if_exception(
                lambda error: isinstance(error, OSError) and error.errno in IN_THE_WAY
            ),
            stop=stop_after_attempt(ATTEMPTS),
            reraise=True,
        )
        return attempts(act, *args, **kwargs)

    return again


class LocalFiles:
    """A folder of a file system that all readers and writers share.

    Args:
        root: Created when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def exists(self, name: str) -> bool:
        """See :class:`Files`."""
        return (self.root / name).is_file()

    def read(self, name: str) -> bytes:
        """See :class:`Files`."""
        return (self.root / name).read_bytes()

    @_though_others_work_there
    def write(self, name: str, content: bytes) -> None:
        """By renaming a file that is on the disk already."""
        beside = self._written_beside(name, content)
        os.replace(beside, self.root / name)
        _sync(beside.parent)

    @_though_others_work_there
    def create(self, name: str, content: bytes) -> bool:
        """By linking a file that is written already, so that nobody reads half of it."""
        beside = self._written_beside(name, content)
        try:
            os.link(beside, self.root / name)
        except FileExistsError:
            return False
        finally:
            beside.unlink(missing_ok=True)
        return True

    def _written_beside(self, name: str, content: bytes) -> Path:
        final = self.root / name
        final.parent.mkdir(parents=True, exist_ok=True)
        beside = final.with_name(f".{final.name}.{uuid4().hex}")
        try:
            beside.write_bytes(content)
            _sync(beside)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
        return beside

    def names(self, folder: str) -> list[str]:
        """See :class:`Files`; files that are being written are not there yet."""
        try:
            found = os.listdir(self.root / folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name for name in found if not name.startswith("."))

    def sizes(self, folder: str) -> dict[str, int]:
        """See :class:`Files`."""
        return sizes_in(self.root / folder)

    def age(self, name: str) -> float:
        """See :class:`Files`; by the clock of the file system alone, where it can be asked."""
        return time.time() - (self.root / name).stat().st_mtime

    def publish(self, work: Path, folder: str, last: str) -> None:
        """By one rename of a folder that is on the disk already, so ``last`` needs no care."""
        final = self.root / folder
        if final.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final))
        final.parent.mkdir(parents=True, exist_ok=True)
        near = self._on_this_file_system(work)
        sync_tree(near)
        try:
            os.rename(near, final)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                raise FileExistsError(*error.args) from None
            raise
        finally:
            if near != work:
                shutil.rmtree(near, ignore_errors=True)
        _sync(final.parent)

    def _on_this_file_system(self, work: Path) -> Path:
        """``work``, or a copy of it where it can be renamed into place."""
        arriving = self.root / ARRIVING / uuid4().hex
        arriving.parent.mkdir(parents=True, exist_ok=True)
        if work.stat().st_dev == arriving.parent.stat().st_dev:
            return work
        try:
            shutil.copytree(work, arriving)
        except OSError as error:
            shutil.rmtree(arriving, ignore_errors=True)
            raise _first_of(error) from None
        return arriving

    def fetch(self, folder: str, to: Path) -> None:
        """See :class:`Files`."""
        shutil.copytree(self.root / folder, to)

    def move(self, folder: str, to: str) -> None:
        """By one rename."""
        final = self.root / to
        final.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(self.root / folder, final)
        except FileNotFoundError:
            return
        _sync(final.parent)

    @_though_others_work_there
    def remove(self, folder: str) -> None:
        """See :class:`Files`."""
        path = self.root / folder
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _first_of(error: OSError) -> OSError:
    """What stopped ``shutil.copytree``, which collects the errors of all files as texts."""
    if error.errno is None:
        return OSError(errno.EIO, str(error))
    return error


def sizes_in(folder: Path) -> dict[str, int]:
    """Bytes of every file below ``folder``, by its name relative to it; not of what goes away."""
    found = {}
    for parent, _, names in os.walk(folder, onerror=_unless_gone):
        for path in (Path(parent, name) for name in names):
            with suppress(FileNotFoundError):
                found[path.relative_to(folder).as_posix()] = path.stat().st_size
    return dict(sorted(found.items()))


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def sync_tree(folder: Path) -> None:
    """Have everything in ``folder`` on the disk, so that a loss of power takes none of it."""
    for path in (*folder.rglob("*"), folder):
        _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some file systems know no fsync of a folder; theirs is the best that can be had.
        if not (path.is_dir() and error.errno in (errno.EINVAL, errno.ENOTSUP)):
            raise
    finally:
        os.close(handle)

"""Zip files that are written whole or not at all."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from projection.errors import InputError


@contextmanager
def new_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip to be filled; it is at ``path`` when the block ends well, and nothing is if not.

    Raises:
        InputError: It cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as out:
            yield out
        unfinished.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        unfinished.unlink(missing_ok=True)

"""What a command writes: a whole file or none, or standard output."""

import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile

import click

from projection.errors import InputError

STANDARD_OUTPUT = Path("-")


def check_output(path: Path, inputs: Iterable[Path]) -> None:
    """Refuse, before any work is done, an output that cannot be written or is an input.

    Raises:
        InputError: It is one of ``inputs``, a folder, or in a folder that does not exist.
    """
    if path == STANDARD_OUTPUT:
        return
    if any(path.resolve() == one.resolve() for one in inputs):
        raise InputError(f"{path}: is an input; write to another file")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file in it")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path}: no such folder: {path.absolute().parent}; make it first")


def write_whole(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 so that no reader ever sees half of it; ``-`` is standard output.

    Raises:
        InputError: The file cannot be written, as on a full disk.
    """
    if path == STANDARD_OUTPUT:
        click.echo(text, nl=False)
        return
    try:
        with NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.absolute().parent, prefix=f".{path.name}.", delete=False
        ) as partial:
            try:
                partial.write(text)
                partial.flush()
                os.fsync(partial.fileno())
                os.chmod(partial.name, 0o666 & ~_umask())
                os.replace(partial.name, path)
            except OSError:
                os.unlink(partial.name)
                raise
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None


def _umask() -> int:
    """The process's; the temporary file was made for its owner's eyes alone."""
    mask = os.umask(0)
    os.umask(mask)
    return mask

"""The one exception that means "what you gave me cannot be used"."""

from pathlib import Path


class InputError(ValueError):
    """Bad input: the command ends with exit code 2 and this message, without a traceback."""


def at_line(path: Path | str, line: int, problem: str) -> InputError:
    """An :class:`InputError` that begins with ``path:line`` (``line`` counts from 1)."""
    return InputError(f"{path}:{line}: {problem}")

"""Identity: everything that can change a number, and nothing that cannot (DESIGN §6).

Fields count by default. Only a field declared with :func:`placement` stays out, so a forgotten one
changes the fingerprint and never slips by.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, field, fields, is_dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@runtime_checkable
class Fingerprinted(Protocol):
    """Something that is known by its own fingerprint."""

    @property
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256."""


def placement(default: Any = MISSING) -> Any:
    """A dataclass field that says where something is or runs, and never what it is."""
    return field(default=default, metadata={"placement": True})


def canonical(value: object) -> Json:
    """``value`` as plain JSON with one form for equal meanings.

    Raises:
        TypeError: It has no stable form (a path, a function, a number that is none).
    """
    # Words of a corpus are scalars by the ten thousand, and the tests for all else are slow.
    return _scalar(value) if type(value) in _SCALARS else _compound(value)


def _compound(value: object) -> Json:
    if isinstance(value, Fingerprinted):
        return _scalar(value.fingerprint)
    if isinstance(value, Enum):
        return canonical(value.value)
    if is_dataclass(value) and not isinstance(value, type):
        return identity(value)
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {_key(key): canonical(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [canonical(item) for item in value]
    return _scalar(value)


_SCALARS = frozenset({str, int, float, bool, type(None)})


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{key!r} as a key has no stable form for a fingerprint; use strings")
    return key


def _scalar(value: object) -> Json:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise TypeError(
        f"{value!r} of type {type(value).__name__} has no stable form for a fingerprint"
    )


def identity(record: Any) -> dict[str, Json]:
    """The fields of a dataclass that are not placement, canonical."""
    return {
        each.name: canonical(getattr(record, each.name))
        for each in fields(record)
        if not _is_placement(each)
    }


def _is_placement(each: "Field[Any]") -> bool:
    return bool(each.metadata.get("placement"))


def fingerprint(value: object) -> str:
    """SHA-256 of the canonical form, 64 hexadecimal digits."""
    text = json.dumps(canonical(value), sort_keys=True, allow_nan=False, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of the bytes of a file; read once as long as size and time of change stay."""
    status = path.stat()
    return _file_hash(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _file_hash(path: Path, _size: int, _changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""What a finished step holds, by size and SHA-256, and what is wrong with it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from orchestrator.fingerprints import file_hash
from orchestrator.store.files import sizes_in

DONE = "DONE"
"""Written last; holds the SHA-256 of the record, which holds those of the artefacts."""
RECORD = "step.json"


class Content(BaseModel, frozen=True):
    """An artefact: what its bytes must be."""

    bytes: int
    sha256: str


Contents = Mapping[str, Content]
"""The artefacts of a step by their names, slashes in them."""


def contents_of(folder: Path) -> dict[str, Content]:
    """Every file in ``folder``."""
    return {
        name: Content(bytes=size, sha256=file_hash(folder / name))
        for name, size in sizes_in(folder).items()
    }


def seal(folder: Path, record: Mapping[str, Any]) -> None:
    """Write ``step.json`` with the contents of ``folder``, and ``DONE``."""
    text, done = sealed(record, contents_of(folder))
    (folder / RECORD).write_bytes(text)
    (folder / DONE).write_bytes(done)


def sealed(record: Mapping[str, Any], contents: Contents) -> tuple[bytes, bytes]:
    """The bytes of ``step.json`` and ``DONE`` for a record and its artefacts."""
    artefacts = {name: one.model_dump() for name, one in contents.items()}
    text = json.dumps({**record, "artefacts": artefacts}, indent=1, ensure_ascii=False).encode()
    return text, hashlib.sha256(text).hexdigest().encode()


def opened(record: bytes, done: bytes) -> dict[str, Any] | None:
    """The record, or None if it is not the one that was sealed."""
    if hashlib.sha256(record).hexdigest().encode() != done:
        return None
    content: dict[str, Any] = json.loads(record)
    return content


def contents_in(record: Mapping[str, Any]) -> dict[str, Content]:
    """What a record says of the artefacts."""
    return {name: Content(**one) for name, one in record["artefacts"].items()}


def wrong_sizes(expected: Contents, found: Mapping[str, int]) -> str | None:
    """What is wrong by the sizes of files alone, or None.

    >>> wrong_sizes({"weights": Content(bytes=345, sha256="")}, {"weights": 12})
    'weights has 12 bytes, expected 345'
    """
    for name, content in expected.items():
        if name not in found:
            return f"{name} is missing"
        if found[name] != content.bytes:
            return f"{name} has {found[name]} bytes, expected {content.bytes}"
    return None


def wrong_content(expected: Contents, folder: Path) -> str | None:
    """What is wrong by every byte; files that were hashed before and not touched since are not
    read again.
    """
    problem = wrong_sizes(expected, sizes_in(folder))
    if problem:
        return problem
    for name, content in expected.items():
        if file_hash(folder / name) != content.sha256:
            return f"{name} was altered: its SHA-256 is not the recorded one"
    return None

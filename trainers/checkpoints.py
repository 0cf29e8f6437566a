"""Weights and arrays on disk: safetensors only, written whole or not at all."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file


def save_arrays(
    path: Path, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str] | None = None
) -> None:
    """Write named arrays to ``path``; a reader sees all of the file or none of it."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        save_file(
            {k: np.ascontiguousarray(v) for k, v in arrays.items()}, temporary, dict(metadata or {})
        )
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)

"""Weights and arrays on disk: safetensors only, written whole or not at all."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

if TYPE_CHECKING:
    from torch import nn


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


def save_weights(module: "nn.Module", path: Path) -> None:
    """Write the parameters of ``module`` by name; shared ones once."""
    named = module.named_parameters()
    save_arrays(path, {name: weights.detach().cpu().numpy() for name, weights in named})


def load_weights(module: "nn.Module", path: Path) -> None:
    """Give ``module``, in place, the parameters that :func:`save_weights` wrote.

    Raises:
        ValueError: The file holds other parameters, or other shapes; nothing was changed.
    """
    import torch

    saved = load_file(path)
    own = dict(module.named_parameters())
    differing = sorted(set(own) ^ set(saved)) or sorted(
        name for name in own if own[name].shape != saved[name].shape
    )
    if differing:
        raise ValueError(f"{path} and the model differ in parameters {differing[:5]}")
    for name, weights in own.items():
        weights.detach().copy_(torch.from_numpy(saved[name]))

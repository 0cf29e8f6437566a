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
    for name, weights in _matched(module, saved, path).items():
        weights.detach().copy_(torch.from_numpy(saved[name]))


def map_weights(module: "nn.Module", path: Path) -> None:
    """Have ``module``, on the processor, read its parameters from the file that
    :func:`save_weights` wrote, without a copy; who maps the same file shares its memory.

    Writing to them would change this module alone, but they are meant to be read.

    Raises:
        ValueError: The file holds other parameters, or other shapes; nothing was changed.
    """
    from safetensors.torch import load_file as mapped_file

    saved = mapped_file(path)
    for name, weights in _matched(module, saved, path).items():
        weights.data = saved[name]


def _matched(
    module: "nn.Module", saved: Mapping[str, Any], path: Path
) -> "dict[str, nn.Parameter]":
    """Parameters of ``module`` by name, if they are the saved ones."""
    own = dict(module.named_parameters())
    differing = sorted(set(own) ^ set(saved)) or sorted(
        name for name in own if own[name].shape != saved[name].shape
    )
    if differing:
        raise ValueError(f"{path} and the model differ in parameters {differing[:5]}")
    return own

"""Weights and arrays on disk: safetensors only, written whole or not at all."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
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


def mean_arrays(paths: Sequence[Path]) -> dict[str, NDArray[np.float32]]:
    """Mean over files of arrays that have the same names and shapes; summed in float64, in order.

    Only one array of each file is in memory at a time.

    Raises:
        ValueError: The files hold other names or shapes.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(safe_open(path, framework="np")) for path in paths]
        names = sorted(files[0].keys())
        if differing := [
            path for path, one in zip(paths, files, strict=True) if sorted(one.keys()) != names
        ]:
            raise ValueError(f"{differing[0]} and {paths[0]} differ in their arrays")
        return {name: _mean([one.get_tensor(name) for one in files]) for name in names}


def _mean(arrays: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ValueError(f"arrays of one name have the shapes {sorted(shapes)}")
    total = np.zeros(arrays[0].shape)
    for array in arrays:
        total += array
    return (total / len(arrays)).astype(np.float32)


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

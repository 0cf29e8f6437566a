"""A study file and the files that it stands on: ``base: ner.yaml`` says what is not repeated.

A variant of a study is then a few lines that say what is different, and follows that study where it
changes.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestrator.yaml_file import Key, has_mapping, line_of, read_mapping
from projection.errors import at_line

BASE, NAME, DATA_ROOT = "base", "name", "data_root"
EXPECTED = "a study: keys such as name, task, backbone, source"


@dataclass(frozen=True)
class Layer:
    """What one file says of a study."""

    path: Path
    content: Mapping[str, Any]
    tree: yaml.Node | None


def read_layers(path: Path) -> list[Layer]:
    """The study file ``path`` and what it stands on, each before its base.

    Raises:
        InputError: One cannot be read, ``base`` is no path, or leads back to a file that it is the
            base of.
    """
    layers: list[Layer] = []
    following: Path | None = path
    while following is not None:
        content, tree = read_mapping(following, EXPECTED)
        layers.append(Layer(following, content, tree))
        following = _base(layers)
    return layers


def _base(layers: Sequence[Layer]) -> Path | None:
    """The base of the last of ``layers``."""
    last = layers[-1]
    named = last.content.get(BASE)
    if named is None:
        return None
    line = line_of(last.tree, [BASE])
    if not isinstance(named, str):
        raise at_line(last.path, line, f"base: expected the path of a study file, got {named!r}")
    base = last.path.parent / named
    if not base.is_file():
        raise at_line(last.path, line, f"base: no such file: {base}; it is relative to this file")
    if any(base.samefile(layer.path) for layer in layers):
        raise at_line(last.path, line, f"base: {base} stands on this file itself")
    return base


def merged(layers: Sequence[Layer]) -> dict[str, Any]:
    """The study that ``layers`` say together.

    A setting replaces that of the base whole; of blocks such as ``training`` the settings that are
    not repeated stay. ``name`` is never inherited. ``data_root`` is relative to the file that says
    it, and where none does it is the folder of the last base.

    >>> base = Layer(Path("a/ner.yaml"), {"name": "ner", "training": {"steps": 9, "rate": 1}}, None)
    >>> own = Layer(Path("b/long.yaml"), {"base": "../a/ner.yaml", "training": {"steps": 99}}, None)
    >>> merged([own, base])
    {'data_root': 'a', 'training': {'steps': 99, 'rate': 1}}
    """
    content: dict[str, Any] = {DATA_ROOT: str(layers[-1].path.parent)}
    for layer in reversed(layers):
        content.pop(NAME, None)
        for key, value in layer.content.items():
            below = content.get(key)
            if isinstance(below, dict) and isinstance(value, dict):
                content[key] = deepcopy({**below, **value})
            else:
                content[key] = deepcopy(value)
        if DATA_ROOT in layer.content:
            content[DATA_ROOT] = str(layer.path.parent / str(layer.content[DATA_ROOT]))
    content.pop(BASE, None)
    return content


def place_of(layers: Sequence[Layer], keys: Sequence[Key]) -> str:
    """``FILE:LINE`` of a setting: where the layer that decides it says so."""
    own = layers[0]
    inherited = () if keys and keys[0] == NAME else layers
    layer = next((one for one in inherited if _says(one, keys[:2])), own)
    return f"{layer.path}:{line_of(layer.tree, keys)}"


def _says(layer: Layer, keys: Sequence[Key]) -> bool:
    value: Any = layer.content
    for key in keys:
        if not isinstance(value, Mapping):
            return True  # a whole block, such as backbone: xlm-roberta-base
        if key not in value:
            return False
        value = value[key]
    return True


def is_block(layers: Sequence[Layer], keys: Sequence[str]) -> bool:
    """True if a file has a mapping at ``keys``."""
    return any(has_mapping(layer.tree, keys) for layer in layers)

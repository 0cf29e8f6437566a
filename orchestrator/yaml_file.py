"""YAML files that a person wrote, read so that a mistake can be shown with its line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from projection.errors import InputError, at_line

Key = str | int


def read_mapping(path: Path, expected: str) -> tuple[dict[str, Any], yaml.Node | None]:
    """The mapping in ``path``, and its nodes for :func:`line_of`.

    Args:
        path: Of the file.
        expected: What it should hold, for the message.

    Raises:
        InputError: It cannot be read, is not YAML, or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content, tree = yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise at_line(path, line, f"not YAML: {error.problem}") from None
    if not isinstance(content, dict):
        raise at_line(path, 1, f"expected {expected}")
    return content, tree


def line_of(node: yaml.Node | None, keys: Sequence[Key]) -> int:
    """Line, from 1, of the deepest of ``keys`` that the file has."""
    line = node.start_mark.line + 1 if node else 1
    for key in keys:
        child = None
        if isinstance(node, yaml.MappingNode):
            for name, value in node.value:
                if name.value == str(key):
                    line, child = name.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int):
            child = node.value[key]
            line = child.start_mark.line + 1
        if child is None:
            return line
        node = child
    return line


def has_mapping(node: yaml.Node | None, keys: Sequence[str]) -> bool:
    """True if the file has a mapping at ``keys``."""
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            return False
        node = next((value for name, value in node.value if name.value == key), None)
    return isinstance(node, yaml.MappingNode)

"""Reading a study file, so that every mistake in it is shown with its line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.study import Study, nearest
from orchestrator.sweep.naming import models_in, problems
from orchestrator.yaml_file import Key, line_of, read_mapping
from projection.errors import InputError


def read_study(path: Path, overrides: Sequence[str] = ()) -> Study:
    """The study in ``path`` with ``key=value`` overrides put over it.

    ``data_root`` of the file is relative to the file, that of an override to the working directory.

    Raises:
        InputError: Everything that is wrong, a line each.
    """
    content, tree = read_mapping(path, "a study: keys such as name, task, backbone, source")
    content["data_root"] = str(path.parent / str(content.get("data_root", ".")))
    overridden = [override(content, one) for one in overrides]
    try:
        study = Study.model_validate(content)
    except ValidationError as errors:
        raise InputError(
            "\n".join(_explain(path, tree, overridden, error) for error in errors.errors())
        ) from None
    if wrong := list(problems(study)):
        raise InputError(
            "\n".join(_where(path, tree, overridden, keys) + problem for keys, problem in wrong)
        )
    for keys, file in study.files():
        if not file.is_file():
            problem = f"{'.'.join(keys[:2])}: no such file: {file}"
            hint = f"paths are relative to data_root, which is {study.data_root}"
            raise InputError(f"{_where(path, tree, overridden, keys)}{problem}; {hint}")
    return study


def override(content: dict[str, Any], text: str) -> tuple[str, ...]:
    """Put ``key=value`` over nested settings; returns the parts of the key.

    Raises:
        InputError: It is not of that form.
    """
    key, equals, value = text.partition("=")
    keys = tuple(key.split("."))
    if not equals or not all(keys):
        raise InputError(f"--set {text}: expected KEY=VALUE, such as training.steps=400")
    inner = content
    for one in keys[:-1]:
        if not isinstance(inner.get(one), dict):
            inner[one] = {} if not isinstance(inner.get(one), str) else {"name": inner[one]}
        inner = inner[one]
    try:
        inner[keys[-1]] = yaml.safe_load(value)
    except yaml.YAMLError:
        raise InputError(f"--set {text}: the value is not YAML") from None
    return keys


def _explain(
    path: Path,
    tree: yaml.Node | None,
    overridden: Sequence[tuple[str, ...]],
    error: ErrorDetails,
) -> str:
    return _where(path, tree, overridden, error["loc"]) + problem_in(error, Study)


def problem_in(error: ErrorDetails, settings: type[BaseModel]) -> str:
    """What is wrong with one of ``settings``, its dotted name first."""
    keys = error["loc"]
    dotted = ".".join(str(key) for key in keys)
    problem = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        known = _known(settings, keys[:-1])
        problem = f"unknown key {keys[-1]!r}{nearest(str(keys[-1]), known)}"
    elif error["type"] == "missing":
        problem = f"{dotted} is missing"
    elif error["type"] != "value_error":
        problem = f"{dotted}: {problem}, got {error['input']!r}"
    elif dotted:
        problem = f"{dotted}: {problem}"
    return problem


def _where(
    path: Path, tree: yaml.Node | None, overridden: Sequence[tuple[str, ...]], keys: Sequence[Key]
) -> str:
    """``FILE:LINE: `` of a setting, or ``--set `` if the command line gave it."""
    names = tuple(str(key) for key in keys)
    if any(names[: len(one)] == one for one in overridden):
        return "--set "
    return f"{path}:{line_of(tree, keys)}: "


def _known(settings: type[BaseModel], keys: Sequence[Key]) -> list[str]:
    """Keys that the part of ``settings`` at ``keys`` may have."""
    model: Any = settings
    for key in keys:
        field = model.model_fields.get(key) if model else None
        model = next(models_in(field.annotation), None) if field else None
    return list((model or settings).model_fields)

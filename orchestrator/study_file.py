"""Reading a study file, so that every mistake in it is shown with its line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.study import Study, nearest
from orchestrator.study_layers import Layer, is_block, merged, place_of, read_layers
from orchestrator.sweep.naming import models_in, problems
from orchestrator.yaml_file import Key
from projection.errors import InputError


def read_study(path: Path, overrides: Sequence[str] = ()) -> Study:
    """The study in ``path``, put over its ``base``, with ``key=value`` overrides put over both.

    ``data_root`` of a file is relative to it, that of an override to the working directory.

    Raises:
        InputError: Everything that is wrong, a line each.
    """
    layers = read_layers(path)
    content = merged(layers)
    overridden = [override(content, one) for one in overrides]
    try:
        study = Study.model_validate(content)
    except ValidationError as errors:
        raise InputError(
            "\n".join(_explain(layers, overridden, error) for error in errors.errors())
        ) from None
    if wrong := list(problems(study)):
        raise InputError(
            "\n".join(_where(layers, overridden, keys) + problem for keys, problem in wrong)
        )
    for keys, file in study.files():
        if not file.is_file():
            problem = f"{'.'.join(keys[:2])}: no such file: {file}"
            hint = f"paths are relative to data_root, which is {study.data_root}"
            raise InputError(f"{_where(layers, overridden, keys)}{problem}; {hint}")
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
    layers: Sequence[Layer], overridden: Sequence[tuple[str, ...]], error: ErrorDetails
) -> str:
    return _where(layers, overridden, error["loc"]) + problem_in(error, Study)


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
    layers: Sequence[Layer], overridden: Sequence[tuple[str, ...]], keys: Sequence[Key]
) -> str:
    """``FILE:LINE: `` of a setting, or ``--set `` if the command line gave it or made it up."""
    names = tuple(str(key) for key in keys)
    for one in overridden:
        if names[: len(one)] == one:
            return "--set "
        if names == one[: len(names)] and not is_block(layers, names):
            return f"--set {'.'.join(one)}: "
    return f"{place_of(layers, keys)}: "


def _known(settings: type[BaseModel], keys: Sequence[Key]) -> list[str]:
    """Keys that the part of ``settings`` at ``keys`` may have."""
    model: Any = settings
    for key in keys:
        field = model.model_fields.get(key) if model else None
        model = next(models_in(field.annotation), None) if field else None
    return list((model or settings).model_fields)

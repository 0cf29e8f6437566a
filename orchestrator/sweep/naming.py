"""Settings of a study by dotted name: which a sweep may vary, and how to change one."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from orchestrator.fingerprints import canonical
from orchestrator.study import Study, nearest
from orchestrator.sweep.space import Range, Settings, Values
from orchestrator.yaml_file import Key
from trainers.strategies import strategy

FILES = "files are no numbers; make a study of each"

FIXED: Mapping[str, str] = {
    "name": "it names the study",
    "task": "scores of different tasks cannot be compared",
    "source": "scores on different development sets cannot be compared",
    "targets": "different targets are different studies",
    "data_root": "it says where files are, and changes no result",
    "data.train": FILES,
    "data.dev": FILES,
    "data.test": FILES,
    "data.translations": FILES,
    "data.parallel_text": FILES,
    "data.dev_share": "scores on different development sets cannot be compared",
    "data.dev_seed": "scores on different development sets cannot be compared",
    "strategies": "a sweep is of one strategy: sweep.strategy",
    "seeds": "they belong to every trial: sweep.seeds",
    "cluster": "it says where steps run, and changes no result",
    "resources": "it says what steps are given, and changes no result",
    "sweep": "it says what is varied",
}
"""Settings, or blocks of them, that a sweep cannot vary, and why."""


def setting_names(model: type[BaseModel] = Study, prefix: str = "") -> Iterator[str]:
    """Dotted names of all single settings below ``model``."""
    for name, field in model.model_fields.items():
        inner = next(models_in(field.annotation), None)
        if inner is not None and inner is not model:
            yield from setting_names(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Settings classes that a field of some annotation may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif not isinstance(annotation, type):
        for one in get_args(annotation):
            yield from models_in(one)


def value_of(study: Study, name: str) -> Any:
    """A setting of ``study`` as plain JSON."""
    value: Any = study
    for key in name.split("."):
        value = getattr(value, key)
    return canonical(value)


def with_settings(study: Study, settings: Settings) -> Study:
    """``study`` with other values for some settings, checked anew.

    Raises:
        ValidationError: The settings do not go together.
    """
    content = study.model_dump(exclude_unset=True)
    for name, value in settings.items():
        inner, (*blocks, last) = content, name.split(".")
        for block in blocks:
            inner = inner.setdefault(block, {})
        inner[last] = value
    return Study.model_validate(content)


def problems(study: Study) -> Iterator[tuple[tuple[Key, ...], str]]:
    """What is wrong with the ``sweep`` block of ``study`` that only the study shows.

    Yields:
        The keys of the setting in the study file, and what is wrong with it.
    """
    sweep = study.sweep
    if sweep is None:
        return
    known = [name for name in setting_names() if not _why_fixed(name)]
    for name, parameter in sweep.parameters.items():
        problem = _unusable(name, known, sweep.strategy) or _wrong_value(study, name, parameter)
        if problem:
            yield ("sweep", "parameters", name), f"sweep.parameters.{name}: {problem}"


def _unusable(name: str, known: list[str], strategy_name: str) -> str | None:
    if why := _why_fixed(name):
        return f"a sweep cannot vary it: {why}"
    if name not in known:
        return f"no such setting{nearest(name, known)}"
    if name.startswith("warmup.") and not strategy(strategy_name).warm_start:
        return f"it changes nothing: {strategy_name} has no warm-up; mtl-ws has"
    return None


def _why_fixed(name: str) -> str | None:
    return next((why for at, why in FIXED.items() if f"{name}.".startswith(f"{at}.")), None)


def _wrong_value(study: Study, name: str, parameter: Range | Values) -> str | None:
    """What the setting itself says of the first value that it cannot have."""
    ends = parameter.values if isinstance(parameter, Values) else (parameter.low, parameter.high)
    whole = isinstance(parameter, Range) and parameter.is_whole
    for value in ends:
        try:
            with_settings(study, {name: int(value) if whole else value})
        except ValidationError as errors:
            for error in errors.errors():
                if tuple(error["loc"]) == tuple(name.split(".")):
                    return f"{error['msg'].removeprefix('Value error, ')}, got {value!r}"
        except ValueError as error:  # of a reader that knows better what it was given
            return str(error)
    return None

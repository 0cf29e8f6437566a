"""The page ``settings.md``: every setting there is, made of the settings classes themselves.

What a setting may be, its bounds and its default come from pydantic's JSON schema; what it means
is its docstring in the source, which griffe reads.
"""

import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel

from orchestrator.cluster_file import ClusterFile
from orchestrator.study import Study

Schema = Mapping[str, Any]

HEAD = """# Every setting

Made of the settings classes when this site is built, so it cannot lag behind them. The dotted name
is what `--set NAME=VALUE` and a sweep's `parameters` take; `*` stands for a name of your choice,
such as a language. What a bound excludes, a type does not hold or no table lists is refused, with
its line. *None:* says what a setting that is left out, or `null`, stands for.
"""
STUDY = "A study file"
CLUSTER = "A cluster file, for `xlwarm plan --cluster`"

TYPES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "yes or no"}
BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minItems": "at least {}",
    "pattern": "like `{}`",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page to the site."""
    files.append(File.generated(config, "settings.md", content=settings_page()))
    return files


@dataclass(frozen=True, slots=True)
class Section:
    """Settings that stand together.

    Args:
        model: Their class: of pydantic, or a dataclass.
        places: Dotted prefixes under which a file may have them, without the last dot.
        kind: Which of several it is that may stand there, or nothing.
    """

    model: type
    places: tuple[str, ...]
    kind: str

    @property
    def anchor(self) -> str:
        """Id of its heading."""
        return f"{self.places[0]}.{self.kind}".strip(".").replace("*", "each").replace(".", "-")


def settings_page() -> str:
    """The page in Markdown."""
    parts = [HEAD]
    for title, root in ((STUDY, Study), (CLUSTER, ClusterFile)):
        schema = root.model_json_schema()
        sections = {one.model: one for one in _merged(_sections(root))}
        parts += [f"## {title}\n", _table(root, "", schema, schema, sections)]
        for section in sections.values():
            parts += [_heading(section), _prose(section.model), _same(section)]
            own = schema["$defs"][section.model.__name__]
            parts.append(_table(section.model, section.places[0], own, schema, sections))
    return "\n".join(part for part in parts if part)


def _sections(model: type, place: str = "") -> Iterator[Section]:
    """Every group of settings below ``model``, those that it names first before what they name."""
    for name, annotation in _annotations(model).items():
        inner = list(_groups_in(annotation, f"{place}.{name}".strip(".")))
        for group, at in inner:
            kind = group.__name__.removesuffix("Settings").lower() if len(inner) > 1 else ""
            yield Section(group, (at,), kind)
            yield from _sections(group, at)


def _annotations(model: type) -> dict[str, Any]:
    if issubclass(model, BaseModel):
        return {name: field.annotation for name, field in model.model_fields.items()}
    return get_type_hints(model)


def _groups_in(annotation: Any, place: str) -> Iterator[tuple[type, str]]:
    """Settings classes that an annotation names, and where they stand; ``*`` is any key."""
    if isinstance(annotation, type) and (
        issubclass(annotation, BaseModel) or is_dataclass(annotation)
    ):
        yield annotation, place
    elif not isinstance(annotation, type) or get_args(annotation):
        many = getattr(annotation, "__origin__", None) in (dict, tuple)
        for one in get_args(annotation):
            yield from _groups_in(one, f"{place}.*" if many else place)


def _merged(sections: Iterator[Section]) -> list[Section]:
    """One section a class, with all its places."""
    found: dict[type, Section] = {}
    for one in sections:
        before = found.get(one.model)
        places = dict.fromkeys((before.places if before else ()) + one.places)
        listed = tuple(sorted(places, key=lambda place: place.count("*")))
        found[one.model] = Section(one.model, listed, one.kind or (before.kind if before else ""))
    return list(found.values())


def _heading(section: Section) -> str:
    kind = f" ({section.kind})" if section.kind else ""
    return f"\n### `{section.places[0]}`{kind} {{#{section.anchor}}}\n"


def _prose(model: type) -> str:
    return _one_line(inspect.getdoc(model).split("\n\nArgs:")[0]) + "\n"  # type: ignore[union-attr]


def _same(section: Section) -> str:
    others = ", ".join(f"`{place}`" for place in section.places[1:])
    return f"The same under {others}.\n" if others else ""


def _table(
    model: type, place: str, own: Schema, whole: Schema, sections: Mapping[type, Section]
) -> str:
    links = {one.__name__: section for one, section in sections.items()}
    texts = _docstrings(model)
    rows = ["| setting | value | default | |", "|---|---|---|---|"]
    for name, schema in own["properties"].items():
        value = ", ".join(_value(schema, whole["$defs"], links))
        default = "required" if name in own.get("required", ()) else _default(schema)
        meaning = "<br>".join([texts.get(name, ""), *_choices(model, name)])
        rows.append(_row(f"`{place}.{name}`".replace("`.", "`"), value, default, meaning))
    return "\n".join(rows) + "\n"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _value(schema: Schema, defs: Schema, links: Mapping[str, Section]) -> Iterator[str]:
    """What a value may be, and between which bounds."""
    options = [one for one in _options(schema) if one.get("type") != "null"]
    if len(options) > 1:
        yield " or ".join(" ".join(_value(one, defs, links)) for one in options)
        return
    (only,) = options
    if "$ref" in only:
        yield _referred(only["$ref"].rpartition("/")[2], defs, links)
    elif "enum" in only:
        yield " ".join(f"`{one}`" for one in only["enum"])
    elif only.get("type") == "array":
        yield f"list of {' '.join(_value(only['items'], defs, links))}"
    elif inner := only.get("additionalProperties"):
        of_each = _value(inner, defs, links) if isinstance(inner, Mapping) else ["anything"]
        yield f"by name: {' '.join(of_each)}"
    elif only.get("format") == "path":
        yield "path"
    else:
        yield TYPES[only["type"]]
    yield from (text.format(only[key]) for key, text in BOUNDS.items() if key in only)


def _options(schema: Schema) -> list[Schema]:
    """The alternatives of a schema, those of alternatives too."""
    inner = schema.get("anyOf") or schema.get("oneOf")
    return [deep for one in inner for deep in _options(one)] if inner else [schema]


def _referred(name: str, defs: Schema, links: Mapping[str, Section]) -> str:
    if "enum" in defs[name]:
        return " ".join(f"`{one}`" for one in defs[name]["enum"])
    section = links[name]
    return f"[{section.kind or section.places[0]}](#{section.anchor})"


def _default(schema: Schema) -> str:
    default = schema.get("default")
    if default is None or isinstance(default, Mapping):
        return ""
    return f"`{json.dumps(default)}`" if not isinstance(default, str) else f"`{default}`"


def _choices(model: type, name: str) -> Iterator[str]:
    """What each of the values of a setting means, where that is written down."""
    for kind in _enums_in(_annotations(model)[name]):
        for member, text in _docstrings(kind).items():
            yield f"`{kind[member].value}`: {text}"


def _enums_in(annotation: Any) -> Iterator[type[StrEnum]]:
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        yield annotation
    for one in get_args(annotation):
        yield from _enums_in(one)


def _docstrings(model: type) -> dict[str, str]:
    """Docstrings of the attributes of a class and those it inherits from, a line each."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if base.__module__.partition(".")[0] not in ("projection", "trainers", "orchestrator"):
            continue
        source = _module(base.__module__, inspect.getfile(base))[base.__name__]
        for section in source.docstring.parse("google", warnings=False) if source.docstring else ():
            if section.kind is griffe.DocstringSectionKind.parameters:
                found |= {one.name: _one_line(one.description) for one in section.value}
        for name, member in source.attributes.items():
            if member.docstring:
                found[name] = _one_line(member.docstring.value)
    return found


@cache
def _module(name: str, file: str) -> griffe.Module:
    return griffe.visit(name, Path(file), Path(file).read_text(encoding="utf-8"))


def _one_line(text: str) -> str:
    return " ".join(text.split())

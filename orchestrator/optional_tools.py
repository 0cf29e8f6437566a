"""What ``xlwarm doctor`` says of programs, packages and keys that xlwarm can use but do without."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from projection.aligners.programs import PROGRAMS
from projection.errors import InputError
from projection.translators import TranslationError, apertium, deepl, google

PIVOTS = ("es", "ca")
"""Languages that the paper's targets can be reached over."""


@dataclass(frozen=True, slots=True)
class Extra:
    """An optional package: the extra of xlwarm that installs it, and its key if it needs one."""

    package: str
    extra: str
    used_for: str
    key: str | None = None


EXTRAS = (
    Extra("deepl", "deepl", "translator deepl", deepl.KEY),
    Extra("google-cloud-translate", "google", "translator google", google.KEY),
    Extra("sentencepiece", "seq2seq", "translator seq2seq with MarianMT"),
    Extra("systran-align", "systran", "aligner systran"),
    Extra("stanza", "stanza", "POS tags of translations (data.pos)"),
    Extra("datasets", "hub", "corpora of the Hugging Face hub"),
)


def optional_tools(source: str = "en") -> Iterator[tuple[str, bool, str]]:
    """Name, presence and a few words for everything optional; keys are never shown.

    Args:
        source: The language to translate from.
    """
    yield "apertium", *_apertium(source)
    for name, (executable, _) in PROGRAMS.items():
        path = shutil.which(executable)
        yield (
            name,
            path is not None,
            f"aligner program:{name}: {path or f'no {executable} on the PATH'}",
        )
    for one in EXTRAS:
        yield one.package, *_extra(one)


def _apertium(source: str) -> tuple[bool, str]:
    try:
        direct = apertium.reachable(source)
        over = {pivot: apertium.reachable(source, pivot) for pivot in PIVOTS}
    except (InputError, TranslationError) as error:
        return False, str(error)
    if not direct:
        return False, f"no mode from {source}; `make apertium` installs those of the paper"
    said = [f"{source} to {_modes(direct)}"]
    said += [f"over {pivot} to {_modes(found)}" for pivot, found in over.items() if found]
    return True, f"{apertium.program_version()}: {'; '.join(said)}"


def _modes(found: dict[str, list[str]]) -> str:
    return ", ".join(f"{language} ({'+'.join(modes)})" for language, modes in found.items())


def _extra(one: Extra) -> tuple[bool, str]:
    try:
        found = version(one.package)
    except PackageNotFoundError:
        return False, f"{one.used_for}: not installed; pip install 'xlwarm[{one.extra}]'"
    if one.key is None:
        return True, f"{one.used_for}: {found}"
    has_key = bool(os.environ.get(one.key))
    return has_key, f"{one.used_for}: {found}, {one.key} is {'set' if has_key else 'not set'}"

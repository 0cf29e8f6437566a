"""Apertium, a rule-based translator that runs offline: the ``apertium`` command and its pairs."""

import hashlib
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

from projection.errors import InputError
from projection.translators.apertium_stream import output_of, run_mode
from projection.translators.base import LanguagePair, Limits, Translator

PROGRAM = "apertium"
PIVOT = "es"
"""Between two languages without a direct mode, unless the settings say otherwise."""
THREE_LETTERS: Mapping[str, str] = MappingProxyType(
    {"ca": "cat", "en": "eng", "es": "spa", "fr": "fra", "it": "ita", "pt": "por", "oc": "oci"}
)
"""Apertium names a mode by codes of two or of three letters."""
_PLAIN_MODE = re.compile("[a-z]{2,3}-([a-z]{2,3})")
STREAM = 2
"""How texts are handed over; raised when that changes a translation."""


class Apertium:
    """Translates through the installed modes, over a third language where there is no direct one.

    Args:
        via: The third language; None for ``PIVOT``.
    """

    name = PROGRAM
    limits = Limits(texts=500, characters=500_000)
    """Starting a mode costs as much as ten texts or so; what is done when it is cut off is lost."""

    def __init__(self, via: str | None = None) -> None:
        self._via = via

    def version(self, pair: LanguagePair) -> str:
        """The modes and a hash of programs, rules and dictionaries, ``eng-spa+spa-ita@1f3a...``.

        Raises:
            InputError: Apertium or a mode is not installed.
        """
        modes = path_of_modes(pair, self._via)
        digest = hashlib.sha256(f"{STREAM} {program_version()}".encode())
        for mode in modes:
            digest.update(content_of(mode))
        return f"{'+'.join(modes)}@{digest.hexdigest()[:12]}"

    def legs(self, pair: LanguagePair) -> list[tuple[Translator, LanguagePair]]:
        """One for each mode.

        Raises:
            InputError: Apertium or a mode is not installed.
        """
        modes = path_of_modes(pair, self._via)
        stops = [pair.source, *([self._via or PIVOT] * (len(modes) - 1)), pair.target]
        return [(Apertium(), LanguagePair(one, other)) for one, other in pairwise(stops)]

    def translate(self, texts: Sequence[str], pair: LanguagePair) -> list[str]:
        """Translate through every mode on the path; words that a mode does not know stay.

        Raises:
            InputError: Apertium or a mode is not installed.
            TranslationError: It failed or lost a text.
        """
        for mode in path_of_modes(pair, self._via):
            texts = run_mode(_program(), mode, texts)
        return list(texts)


def path_of_modes(pair: LanguagePair, via: str | None = None) -> list[str]:
    """The modes that lead from one language to the other: one, or two over ``via``.

    Raises:
        InputError: Apertium or a mode is not installed.
    """
    direct = _mode(pair.source, pair.target)
    if direct and via is None:
        return [direct]
    pivot = via or PIVOT
    steps = [_mode(pair.source, pivot), _mode(pivot, pair.target)]
    found = [mode for mode in steps if mode]
    if len(found) == len(steps):
        return found
    known = ", ".join(sorted(installed_modes())) or "none"
    raise InputError(
        f"apertium cannot translate {pair} (via {pivot}); installed modes: {known}. "
        "`make apertium` installs those of the paper's languages"
    )


def reachable(source: str, via: str | None = None) -> dict[str, list[str]]:
    """The languages that ``source`` can be translated into, sorted, with the modes that lead there.

    Args:
        source: ISO 639-1 code.
        via: Only what goes over this language; None for direct modes alone.

    Raises:
        InputError: There is no ``apertium``.
    """
    two_letters = {long: short for short, long in THREE_LETTERS.items()}
    ends = [_PLAIN_MODE.fullmatch(mode) for mode in installed_modes()]
    targets = sorted({two_letters.get(end[1], end[1]) for end in ends if end})
    found: dict[str, list[str]] = {}
    for target in targets:
        stops = [source, target] if via is None else [source, via, target]
        modes = [_mode(one, other) for one, other in pairwise(stops)]
        if len(set(stops)) == len(stops) and all(modes):
            found[target] = [mode for mode in modes if mode]
    return found


def _mode(source: str, target: str) -> str | None:
    names = [
        f"{one}-{other}"
        for one in (THREE_LETTERS.get(source, source), source)
        for other in (THREE_LETTERS.get(target, target), target)
    ]
    return next((name for name in names if name in installed_modes()), None)


@cache
def installed_modes() -> frozenset[str]:
    """Names of the translation modes on this machine.

    Raises:
        InputError: There is no ``apertium``.
    """
    return frozenset(output_of([_program(), "-l"]).split())


@cache
def program_version() -> str:
    """Such as ``Apertium 3.8.3``.

    Raises:
        InputError: There is no ``apertium``.
    """
    return output_of([_program(), "-V"]).strip()


def _program() -> str:
    program = shutil.which(PROGRAM)
    if program is None:
        raise InputError(
            "the translator apertium needs the program apertium on the PATH; "
            "`make apertium` installs it with the paper's languages"
        )
    return program


@cache
def content_of(mode: str) -> bytes:
    """SHA-256 of a mode's pipeline and of all files that it names; of its name if it is hidden."""
    usual = Path(_program()).resolve().parents[1] / "share/apertium"
    pipeline = Path(os.environ.get("APERTIUM_DATADIR") or usual) / "modes" / f"{mode}.mode"
    digest = hashlib.sha256(mode.encode())
    if pipeline.is_file():
        text = pipeline.read_text(encoding="utf-8")
        digest.update(text.encode())
        for path in map(Path, re.findall(r"'(/[^']+)'", text)):
            digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.digest()

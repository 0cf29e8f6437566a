"""Apertium, a rule-based translator that runs offline: the ``apertium`` command and its pairs."""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType

from projection.errors import InputError
from projection.translators.base import LanguagePair, Limits, TranslationError

PROGRAM = "apertium"
PIVOT = "es"
"""Between two languages without a direct mode, unless the settings say otherwise."""
THREE_LETTERS: Mapping[str, str] = MappingProxyType(
    {"ca": "cat", "en": "eng", "es": "spa", "fr": "fra", "it": "ita", "pt": "por", "oc": "oci"}
)
"""Apertium names a mode by codes of two or of three letters."""
END_OF_TEXT = "\n\n"
"""Apertium never moves words across the end of a paragraph; across a line it does."""


class Apertium:
    """Translates through the installed modes, over a third language where there is no direct one.

    Args:
        via: The third language; None for ``PIVOT``.
    """

    name = PROGRAM
    limits = Limits(texts=2_000, characters=1_000_000)

    def __init__(self, via: str | None = None) -> None:
        self._via = via

    def version(self, pair: LanguagePair) -> str:
        """The modes and a hash of their rules and dictionaries, ``eng-spa+spa-ita@1f3a...``.

        Raises:
            InputError: Apertium or a mode is not installed.
        """
        modes = path_of_modes(pair, self._via)
        digest = hashlib.sha256()
        for mode in modes:
            digest.update(_content(mode))
        return f"{'+'.join(modes)}@{digest.hexdigest()[:12]}"

    def translate(self, texts: Sequence[str], pair: LanguagePair) -> list[str]:
        """Translate through every mode on the path; words that a mode does not know stay.

        Raises:
            InputError: Apertium or a mode is not installed.
            TranslationError: It failed or lost a text.
        """
        for mode in path_of_modes(pair, self._via):
            texts = _run(mode, texts)
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
    return frozenset(_output([_program(), "-l"], "").split())


def _program() -> str:
    program = shutil.which(PROGRAM)
    if program is None:
        raise InputError(
            "the translator apertium needs the program apertium on the PATH; "
            "`make apertium` installs it with the paper's languages"
        )
    return program


@cache
def _content(mode: str) -> bytes:
    """SHA-256 of a mode's pipeline and of all files that it names; of its name if it is hidden."""
    pipeline = Path(_program()).resolve().parents[1] / "share/apertium/modes" / f"{mode}.mode"
    digest = hashlib.sha256(mode.encode())
    if pipeline.is_file():
        text = pipeline.read_text(encoding="utf-8")
        digest.update(text.encode())
        for path in map(Path, re.findall(r"'(/[^']+)'", text)):
            digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.digest()


def _run(mode: str, texts: Sequence[str]) -> list[str]:
    command = [_program(), "-u", mode]
    said = _output(command, "".join(text + END_OF_TEXT for text in texts))
    translated = said.removesuffix(END_OF_TEXT).split(END_OF_TEXT)
    if len(translated) != len(texts):
        raise TranslationError(
            f"apertium {mode} gave {len(translated)} paragraphs for {len(texts)} texts"
        )
    return [" ".join(text.split()) for text in translated]


def _output(command: Sequence[str], text: str) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise TranslationError(
            f"{' '.join(command)} ended with exit code {done.returncode}: "
            f"{said[-1] if said else 'it says nothing'}"
        )
    return done.stdout

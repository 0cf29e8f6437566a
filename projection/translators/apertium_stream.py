"""Apertium's stream format, and a mode run on many texts so that none knows of the others."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from projection.translators import apertium_tagger
from projection.translators.base import TranslationError

END_OF_TEXT = "\0"
"""Apertium forgets everything there (null flush), but for what ``apertium_tagger`` mends."""
END_OF_SENTENCE = " .[]"
"""The tagger gives nothing back of a sentence that does not end; a dot that touches the last word
could make an abbreviation of it (``no.``)."""
TAGGER = "apertium-tagger"
_SPECIAL = re.compile(r"[\\^$\[\]{}/@<>]")
_MARKS = re.compile(r"\\(.)|[\[\]]", re.DOTALL)


def to_stream(text: str) -> str:
    """``text`` with what has a meaning in the stream escaped, and an end of sentence behind it.

    A tilde cannot be escaped (the last stage takes it for a mark of its own), so it is passed on as
    formatting, as ``apertium-destxt`` does.

    >>> to_stream("5/6 [of ~3]")
    '5\\\\/6 \\\\[of [~]3\\\\] .[]'
    """
    escaped = _SPECIAL.sub(r"\\\g<0>", text.replace(END_OF_TEXT, " "))
    return escaped.replace("~", "[~]") + END_OF_SENTENCE


def from_stream(stream: str) -> str:
    """The text in ``stream``, its words separated by single spaces.

    >>> from_stream(to_stream("5/6 [of ~3] ."))
    '5/6 [of ~3] .'
    """
    text = stream.rstrip().removesuffix(END_OF_SENTENCE.strip())
    return " ".join(_MARKS.sub(r"\1", text).split())


def run_mode(program: str, mode: str, texts: Sequence[str]) -> list[str]:
    """Translate every one of ``texts`` as if it were alone.

    Args:
        program: Path of ``apertium``.
        mode: Such as ``eng-spa``.
        texts: Running text; the end of a line means nothing in it.

    Raises:
        TranslationError: It failed, or gave another number of texts.
    """
    stream = "".join(to_stream(text) + END_OF_TEXT for text in texts)
    with TemporaryDirectory() as folder:
        said = output_of([program, "-z", "-u", "-f", "none", mode], stream, _own_tagger(folder))
    translated = said.rstrip(END_OF_TEXT).split(END_OF_TEXT)
    if len(translated) > len(texts) or said.count(END_OF_TEXT) < len(texts):
        raise TranslationError(
            f"apertium {mode} gave {len(translated)} translations for {len(texts)} texts"
        )
    return [from_stream(one) for one in said.split(END_OF_TEXT)[: len(texts)]]


def output_of(
    command: Sequence[str], text: str = "", environment: dict[str, str] | None = None
) -> str:
    """What a program writes when it reads ``text``.

    Raises:
        TranslationError: It ended with an error.
    """
    done = subprocess.run(
        command,
        input=text,
        capture_output=True,
        encoding="utf-8",
        check=False,
        env=os.environ | (environment or {}),
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise TranslationError(
            f"{' '.join(command)} ended with exit code {done.returncode}: "
            f"{said[-1] if said else 'it says nothing'}"
        )
    return done.stdout


def _own_tagger(folder: str) -> dict[str, str]:
    """The environment in which Apertium finds our tagger, put in ``folder``, before its own."""
    real = shutil.which(TAGGER)
    if real is None:
        return {}
    ours = Path(folder) / TAGGER
    call = [sys.executable, "-I", "-S", str(Path(apertium_tagger.__file__)), real]
    ours.write_text(f'#!/bin/sh\nexec {shlex.join(call)} "$@"\n')
    ours.chmod(0o700)
    return {"APERTIUM_PATH": f"{folder}{os.pathsep}{Path(real).parent}"}

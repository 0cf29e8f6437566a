"""Files of what is to be tagged: plain text, CoNLL columns, JSON lines; read as they arrive."""

import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum, auto
from io import BufferedReader
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, cast

from projection.columns import BYTE_ORDER_MARK
from projection.errors import InputError, at_line
from projection.inputs import Input, pos_ids
from projection.passages import Passage

STANDARD_INPUT = Path("-")

_SEPARATOR = re.compile("[ \t]+")
_CONLLU_COLUMNS = 10


class Layout(StrEnum):
    """How a file of passages is written."""

    TEXT = auto()
    """One passage a line, however long."""
    CONLL = auto()
    """One word a line in the first column, whatever follows; a blank line after a sentence."""
    JSONL = auto()
    """One object a line: ``{"text": ...}``, or ``{"tokens": [...]}`` with ``pos`` and ``predicate``
    where the model is given them; ``id`` is carried along."""


_SUFFIXES = {
    ".conll": Layout.CONLL,
    ".conll02": Layout.CONLL,
    ".conll03": Layout.CONLL,
    ".iob": Layout.CONLL,
    ".tsv": Layout.CONLL,
    ".jsonl": Layout.JSONL,
    ".ndjson": Layout.JSONL,
    ".json": Layout.JSONL,
}


def layout_of(path: Path) -> Layout:
    """By the end of the name, ``.gz`` aside; text if it says nothing.

    >>> layout_of(Path("es.conll.gz")).value
    'conll'
    """
    ends = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    return _SUFFIXES.get(ends[-1], Layout.TEXT) if ends else Layout.TEXT


def read_passages(
    path: Path, layout: Layout, standard_input: BinaryIO, inputs: Sequence[Input] = ()
) -> Iterator[Passage]:
    """The passages of a file (``-`` for standard input, ``.gz`` unpacked), one after another.

    Args:
        path: Of UTF-8 text.
        layout: Of the file.
        standard_input: Read where ``path`` is ``-``.
        inputs: What each passage must have beside its words.

    Raises:
        InputError: What cannot be used, with file and line.
    """
    where = "stdin" if path == STANDARD_INPUT else str(path)
    if inputs and layout is not Layout.JSONL:
        needed = " and ".join(inputs)
        raise at_line(
            where,
            1,
            f"expected JSON lines, got {layout}: the model is given {needed} with every sentence; "
            'write {"tokens": [...], "pos": [...], "predicate": 3} a line',
        )
    if path == STANDARD_INPUT:
        yield from _READERS[layout](where, _lines(where, standard_input), inputs)
        return
    with _opened(path) as file:
        yield from _READERS[layout](where, _lines(where, file), inputs)


def _opened(path: Path) -> BinaryIO:
    try:
        return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


_Lines = Iterator[tuple[int, str]]


def _lines(where: str, file: BinaryIO | BufferedReader) -> _Lines:
    """Number, from 1, and text of every line."""
    number = 0
    try:
        for number, content in enumerate(file, start=1):
            line = content.decode("utf-8").rstrip("\r\n")
            yield number, line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise at_line(
            where, number, f"expected UTF-8, got the byte 0x{byte:02x}; convert the file"
        ) from None
    except (OSError, EOFError) as error:
        raise at_line(where, number + 1, f"cannot be read ({error})") from None


def _read_text(where: str, lines: _Lines, inputs: Sequence[Input]) -> Iterator[Passage]:
    for _, line in lines:
        yield Passage.of_text(line)


def _read_columns(where: str, lines: _Lines, inputs: Sequence[Input]) -> Iterator[Passage]:
    words: list[str] = []
    for number, line in lines:
        row = line.strip(" \t")
        if row:
            columns = row.split("\t") if "\t" in row else _SEPARATOR.split(row)
            if len(columns) >= _CONLLU_COLUMNS or not columns[0]:
                raise at_line(where, number, f"expected a word in the first column, got {line!r}")
            words.append(columns[0])
        elif words:
            yield Passage.of_tokens(words)
            words = []
    if words:
        yield Passage.of_tokens(words)


def _read_objects(where: str, lines: _Lines, inputs: Sequence[Input]) -> Iterator[Passage]:
    for number, line in lines:
        if not line.strip():
            continue
        try:
            yield _passage(json.loads(line), inputs)
        except json.JSONDecodeError as error:
            raise at_line(
                where, number, f"expected a JSON object, got {line[:60]!r} ({error.msg})"
            ) from None
        except ValueError as error:
            raise at_line(where, number, str(error)) from None


def _passage(row: Any, inputs: Sequence[Input]) -> Passage:
    """Raises ValueError for what an object lacks or has wrong."""
    given = row if isinstance(row, Mapping) else {}
    name = str(given["id"]) if "id" in given else None
    if not inputs and isinstance(given.get("text"), str) and "tokens" not in given:
        return Passage.of_text(given["text"], id=name)
    tokens = _texts(given, "tokens")
    pos = _texts(given, "pos") if Input.POS in inputs else None
    predicate = given.get("predicate") if Input.PREDICATE in inputs else None
    if pos is not None:
        pos_ids(pos)
    if Input.PREDICATE in inputs and type(predicate) is not int:
        raise ValueError(
            f'expected the number of a word, from 0, as "predicate", got {predicate!r}'
        )
    passage = Passage.of_tokens(tokens, id=name, pos=pos, predicate=predicate)
    if tokens:
        passage.sentence()
    return passage


def _texts(row: Mapping[str, Any], key: str) -> list[str]:
    values = row.get(key)
    if isinstance(values, list) and all(isinstance(one, str) and one.strip() for one in values):
        return values
    other = ' or a text as "text"' if key == "tokens" else ""
    raise ValueError(f'expected a list of words as "{key}"{other}, got {values!r:.60}')


_READERS: Mapping[Layout, Callable[[str, _Lines, Sequence[Input]], Iterable[Passage]]] = (
    MappingProxyType(
        {
            Layout.TEXT: _read_text,
            Layout.CONLL: _read_columns,
            Layout.JSONL: _read_objects,
        }
    )
)

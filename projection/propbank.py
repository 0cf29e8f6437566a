"""Universal PropBank files: CoNLL-U rows with a roleset and one column of arguments a predicate.

Two layouts exist. That of the Universal Proposition Banks 1.0 has eight columns of CoNLL-U, ``Y``
at predicates, their rolesets, then the arguments of the first, the second, ... predicate. That of
its ``UP_English-EWT`` has all ten columns of CoNLL-U, the rolesets, then the arguments with full
names (``ARGM-TMP``) and ``V`` at the predicate itself.

Rows are split here and not by a library for CoNLL-U: the one that is kept up (``conllu``) accepts a
row with a missing cell and words out of order without a word, knows no line numbers, and takes
three times as long.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from projection.columns import read_text
from projection.errors import at_line
from projection.records import Corpus, Sentence, Span

NOTHING = frozenset({"", "_"})
"""Cells that say nothing."""
PREDICATE = "Y"
ITSELF = "V"
"""What the second layout writes where an argument column meets its own predicate."""
ID, FORM, UPOS, FLAG = 0, 1, 3, 8
HIDDEN = "_"
"""What some files write for the word ``-``, as CoNLL-U's sign of an empty cell."""
_TEXT = re.compile("# (?:sentence-)?text[:= ]+(.*)")
"""The comment that holds a sentence as it was written."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the rolesets are, from 0; the arguments follow."""

    roleset: int

    @property
    def first_argument(self) -> int:
        """Column of the first predicate's arguments."""
        return self.roleset + 1


BANKS, ENGLISH_EWT = Layout(roleset=9), Layout(roleset=10)


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    cells: list[str]


@dataclass(slots=True)
class _Block:
    """One sentence of the file."""

    text: str = ""
    """As its comment has it, or empty."""
    rows: list[_Row] = field(default_factory=list)

    @property
    def words(self) -> tuple[str, ...]:
        return unhide(tuple(row.cells[FORM] for row in self.rows), self.text)


def read_propbank(
    path: Path, language: str, labels: Sequence[str] = (), encoding: str = "utf-8"
) -> Corpus:
    """One sentence a predicate, its arguments as spans of one word, POS tags kept.

    Multiword rows (``3-4``) and empty nodes (``3.1``) are no words. ``ARG0`` and ``ARGM-TMP`` are
    read as ``A0`` and ``AM-TMP``. A word ``_`` is a ``-`` unless the text in the comments has a
    ``_`` (:func:`unhide`).

    Args:
        path: Plain or gzipped.
        language: Put on every sentence.
        labels: The roles of the task; arguments of other roles are left out. Empty for all.
        encoding: Of the text.

    Returns:
        Sentences with ids ``<language>-<block>.<predicate>``, both from 0. Left out, and counted:
        blocks without a predicate, arguments of roles that are not among ``labels``.

    Raises:
        InputError: A row with a missing cell or out of order, predicates and columns of arguments
            that do not fit together, or no predicate at all.
    """
    found = list(_blocks(path, encoding))
    layout = _layout(path, [row for block in found for row in block.rows])
    left_out: Counter[str] = Counter()
    sentences: list[Sentence] = []
    block_of: list[int] = []
    for number, block in enumerate(found):
        of_block = list(_sentences(path, f"{language}-{number}", language, block, layout))
        left_out["blocks without a predicate"] += not of_block
        sentences += [_with_roles(one, labels, left_out) for one in of_block]
        block_of += [number] * len(of_block)
    blocks = tuple(block.words for block in found)
    return Corpus(language, tuple(sentences), blocks, tuple(block_of), dict(+left_out))


def _layout(path: Path, rows: Sequence[_Row]) -> Layout:
    for layout in (BANKS, ENGLISH_EWT):
        for row in rows:
            cells = row.cells
            flagged = layout is ENGLISH_EWT or cells[FLAG] == PREDICATE
            if flagged and len(cells) > layout.roleset and cells[layout.roleset] not in NOTHING:
                return layout
    raise at_line(path, 1, "expected rolesets in column 10 (or 11), got no predicate at all")


def _blocks(path: Path, encoding: str) -> Iterator[_Block]:
    """Every sentence: its text and its word rows."""
    block, begun = _Block(), False
    for number, line in enumerate([*read_text(path, encoding).split("\n"), ""], start=1):
        if not line.strip():
            if begun and not block.rows:
                raise at_line(path, number, "expected rows of words before this blank line")
            if block.rows:
                yield block
            block, begun = _Block(), False
        elif not begun and line.startswith("#"):
            text = _TEXT.fullmatch(line)
            block.text = text[1] if text else block.text
        else:
            begun = True
            cells = line.removesuffix("\t").split("\t")
            if cells[ID].isdecimal():
                block.rows.append(_checked(path, number, cells, block.rows))
            elif not _is_no_word(cells[ID]):
                raise at_line(
                    path, number, f"expected a row that begins with a number, got {line!r}"
                )


def unhide(words: tuple[str, ...], text: str) -> tuple[str, ...]:
    """``words`` with ``-`` for ``_``, unless ``text`` has a ``_``, or there is no text.

    >>> unhide(("so", "_", "so"), "so-so"), unhide(("so", "_", "so"), "so _ so")
    (('so', '-', 'so'), ('so', '_', 'so'))
    """
    if not text or HIDDEN in text:
        return words
    return tuple("-" if word == HIDDEN else word for word in words)


def _is_no_word(number: str) -> bool:
    """``3-4`` (several words written as one) or ``3.1`` (a word that is not written)."""
    return number.replace("-", "", 1).replace(".", "", 1).isdecimal()


def _checked(path: Path, number: int, cells: list[str], before: Sequence[_Row]) -> _Row:
    if int(cells[0]) != len(before) + 1:
        raise at_line(path, number, f"expected word {len(before) + 1}, got word {cells[0]}")
    width = len(before[0].cells) if before else max(len(cells), BANKS.first_argument)
    if len(cells) != width:
        raise at_line(path, number, f"expected {width} columns with tabs between, got {len(cells)}")
    if not cells[FORM] or not cells[UPOS]:
        raise at_line(path, number, "expected a word in column 2 and its POS in column 4, got none")
    return _Row(number, cells)


def _sentences(
    path: Path, number: str, language: str, block: _Block, layout: Layout
) -> Iterator[Sentence]:
    rows, words = block.rows, block.words
    predicates = [k for k, row in enumerate(rows) if _is_predicate(path, row, layout)]
    columns = max(0, len(rows[0].cells) - layout.first_argument)
    if columns != len(predicates):
        raise at_line(
            path,
            rows[0].line,
            f"expected one column of arguments for each of the {len(predicates)} predicates of the "
            f"sentence, got {columns}",
        )
    pos = tuple(row.cells[UPOS] for row in rows)
    for k, predicate in enumerate(predicates):
        roles = [row.cells[layout.first_argument + k] for row in rows]
        spans = tuple(
            Span(word, word + 1, _short(role))
            for word, role in enumerate(roles)
            if role not in NOTHING and role != ITSELF
        )
        yield Sentence(f"{number}.{k}", language, words, spans, pos, predicate)


def _is_predicate(path: Path, row: _Row, layout: Layout) -> bool:
    has_roleset = len(row.cells) > layout.roleset and row.cells[layout.roleset] not in NOTHING
    if layout is BANKS and has_roleset != (row.cells[FLAG] == PREDICATE):
        flag, roleset = row.cells[FLAG], row.cells[layout.roleset]
        raise at_line(
            path,
            row.line,
            f"expected {PREDICATE} in column 9 and a roleset in column 10, or neither, "
            f"got {flag!r} and {roleset!r}",
        )
    return has_roleset


def _short(role: str) -> str:
    """``AM-TMP`` for ``ARGM-TMP``, ``C-A1`` for ``C-ARG1``.

    >>> _short("ARGM-TMP"), _short("R-ARG0"), _short("AM-LOC")
    ('AM-TMP', 'R-A0', 'AM-LOC')
    """
    return role.replace("ARG", "A", 1)


def _with_roles(sentence: Sentence, labels: Sequence[str], left_out: Counter[str]) -> Sentence:
    if not labels:
        return sentence
    kept = tuple(span for span in sentence.spans if span.label in labels)
    left_out["arguments of other roles"] += len(sentence.spans) - len(kept)
    return replace(sentence, spans=kept)

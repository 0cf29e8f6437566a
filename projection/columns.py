"""CoNLL column files: one word a line, its tag in the last column, a blank line after a sentence.

Reads what CoNLL-2002, CoNLL-2003 and their descendants look like: 2 to 5 columns split by tabs or
spaces, IOB1, IOB2 or BIOES, ``-DOCSTART-`` blocks, gzip, any encoding that is named.
"""

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from projection.errors import InputError, at_line
from projection.records import Corpus, Sentence
from projection.schemes import (
    OUTSIDE,
    Detected,
    TagScheme,
    count_irregular,
    decode_tags,
    detect_scheme,
    encode_tags,
    split_tag,
)

DOCSTART = "-DOCSTART-"
BYTE_ORDER_MARK = "\ufeff"
MIN_COLUMNS, MAX_COLUMNS = 2, 5
_SEPARATOR = re.compile("[ \t]+")


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive non-blank lines of a column file.

    Args:
        line: Number of the first line, from 1.
        tokens: First column.
        tags: Last column, or another where the reader says so.
    """

    line: int
    tokens: tuple[str, ...]
    tags: tuple[str, ...]

    @property
    def is_docstart(self) -> bool:
        """True for the marker that CoNLL puts between documents, alone in its block.

        Dutch CoNLL-2002 has no blank line after it, so there it is the first word of a sentence,
        which counts (the paper's 15806 sentences of Dutch) and keeps its word numbers.
        """
        return self.tokens == (DOCSTART,)


@dataclass(frozen=True, slots=True)
class ColumnFile:
    """A labelled column file as read, and the tag scheme that was found in it."""

    corpus: Corpus
    detected: Detected


def read_bytes(path: Path) -> bytes:
    """What is in ``path``, unpacked if its name ends in ``.gz``.

    Raises:
        InputError: No such file, or not a whole gzip file.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    if path.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: is not a whole gzip file ({error})") from None


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """The text of ``path``, unpacked if its name ends in ``.gz``, without a byte order mark.

    Raises:
        InputError: No such file, unknown encoding, or bytes that are not of this encoding (with the
            line of the first).
    """
    content = read_bytes(path)
    try:
        return content.decode(encoding).removeprefix(BYTE_ORDER_MARK).replace("\r\n", "\n")
    except LookupError:
        raise InputError(f"{path}: unknown encoding {encoding!r}; try utf-8 or latin-1") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise at_line(
            path,
            line,
            f"expected {encoding}, got the byte 0x{content[error.start]:02x}; "
            "name the encoding of the file (often latin-1)",
        ) from None


def read_blocks(path: Path, encoding: str = "utf-8", *, tag_column: int = -1) -> list[Block]:
    """Blocks of a column file in file order, ``-DOCSTART-`` blocks included.

    Args:
        path: Plain or gzipped.
        encoding: Of the text.
        tag_column: Which column holds the tags, from 0; -1 for the last.

    Raises:
        InputError: A row has fewer than 2 or more than 5 columns, or not as many as the first row;
            or the file has no rows at all.
    """
    blocks: list[Block] = []
    first, width = 1, 0
    for part in read_text(path, encoding).split("\n\n"):
        if (regular := _regular_block(part, first, width, tag_column)) is not None:
            blocks.append(regular)
        else:
            for start, rows in _rows(path, part, first, width):
                width = len(rows[0])
                tags = tuple(row[tag_column] for row in rows)
                blocks.append(Block(start, tuple(row[0] for row in rows), tags))
        first += part.count("\n") + 2
    if not blocks:
        raise InputError(f"{path}: expected rows 'word ... tag', got an empty file")
    return blocks


def _regular_block(part: str, first: int, width: int, tag_column: int) -> Block | None:
    """The one block of ``part`` if its rows are ``width`` words with one tab or one space between,
    else None.

    Nearly all blocks of nearly all files are, and rows are read ten times as fast at once as one by
    one. Whether they are is seen by putting them together again.
    """
    if not -width <= tag_column < width:
        return None
    words, between = part.split(), "\t" if "\t" in part else " "
    rows = zip(*[iter(words)] * width, strict=False)
    if not words or "\n".join(map(between.join, rows)) != part.strip("\n"):
        return None
    blank = len(part) - len(part.lstrip("\n"))
    return Block(first + blank, tuple(words[::width]), tuple(words[tag_column % width :: width]))


def _rows(path: Path, part: str, first: int, width: int) -> Iterator[tuple[int, list[list[str]]]]:
    """Number of the first line, and rows, of every block in the lines of ``part``."""
    rows: list[list[str]] = []
    for number, line in enumerate((*part.split("\n"), ""), start=first):
        if stripped := line.strip(" \t\r"):
            row = _split_row(path, number, stripped, width)
            width = len(row)
            rows.append(row)
        elif rows:
            yield number - len(rows), rows
            rows = []


def _split_row(path: Path, number: int, line: str, width: int) -> list[str]:
    row = line.split("\t") if "\t" in line else _SEPARATOR.split(line)
    if not MIN_COLUMNS <= len(row) <= MAX_COLUMNS:
        raise at_line(
            path,
            number,
            f"expected 'word ... tag' in {MIN_COLUMNS} to {MAX_COLUMNS} columns, got {line!r}; "
            "CoNLL-2003 has 4 columns (German 5), CoNLL-2002 has 2 or 3",
        )
    if width and len(row) != width:
        raise at_line(path, number, f"expected {width} columns as in the rows before, got {line!r}")
    return row


def read_columns(
    path: Path,
    language: str,
    *,
    labels: Sequence[str] = (),
    scheme: TagScheme | None = None,
    encoding: str = "utf-8",
) -> ColumnFile:
    """Labelled sentences of a column file, ``-DOCSTART-`` blocks dropped.

    Args:
        path: Plain or gzipped.
        language: Put on every sentence.
        labels: The labels that may occur; empty for any.
        scheme: Scheme of the tags; found out if None. If it is named, any number of ill-formed
            spans is read by conlleval's rules, as a scorer must.
        encoding: Of the text.

    Returns:
        Sentences with ids ``<language>-<k>``, k counting all blocks from 0, so that a translation
        that is block-parallel carries the same ids whether it kept the markers or not.

    Raises:
        InputError: Unreadable file, ill-formed row, illegal tag, mixed tag schemes; or all tags
            are well formed in another scheme than the one named.
    """
    blocks = read_blocks(path, encoding)
    for block in blocks:
        _check_tags(path, block, labels)
    return labelled_columns(str(path), blocks, language, scheme)


def labelled_columns(
    where: str, blocks: Sequence[Block], language: str, scheme: TagScheme | None = None
) -> ColumnFile:
    """Labelled sentences of ``blocks``; ``-DOCSTART-`` and blocks without words are left out.

    Raises:
        InputError: Mixed tag schemes; ``where`` says of what.
    """
    markers = sum(block.is_docstart for block in blocks)
    kept = [(k, block) for k, block in enumerate(blocks) if block.tokens and not block.is_docstart]
    detected = _detect(where, [block.tags for _, block in kept], scheme)
    read_as = scheme or detected.scheme
    sentences = tuple(
        Sentence(f"{language}-{k}", language, block.tokens, tuple(decode_tags(block.tags, read_as)))
        for k, block in kept
    )
    has_spans = any(sentence.spans for sentence in sentences)
    if has_spans and scheme not in (None, TagScheme.OI, detected.scheme):
        raise InputError(f"{where}: expected {scheme} tags, got {detected.scheme}")
    left_out = Counter(
        {DOCSTART: markers, "blocks without words": len(blocks) - len(kept) - markers}
    )
    corpus = Corpus(
        language,
        sentences,
        tuple(block.tokens for block in blocks),
        tuple(k for k, _ in kept),
        dict(+left_out),
    )
    return ColumnFile(corpus, detected)


def _detect(where: str, sentences: Sequence[Sequence[str]], named: TagScheme | None) -> Detected:
    try:
        return detect_scheme(sentences)
    except ValueError as error:
        if named is None:
            raise InputError(f"{where}: {error}") from None
    return Detected(named, count_irregular(sentences, named))


def _check_tags(path: Path, block: Block, labels: Sequence[str]) -> None:
    if block.is_docstart:
        return
    for offset, tag in enumerate(block.tags):
        try:
            check_tag(tag, labels)
        except ValueError as error:
            raise at_line(path, block.line + offset, str(error)) from None


def check_tag(tag: str, labels: Sequence[str] = ()) -> None:
    """Refuse what is no tag, or one of a label that is not among ``labels`` (empty for any).

    Raises:
        ValueError: Says what was expected.
    """
    if tag == OUTSIDE:
        return
    try:
        _, label = split_tag(tag)
    except ValueError as error:
        raise ValueError(f"illegal tag: {error}") from None
    if labels and label not in labels:
        raise ValueError(
            f"illegal tag {tag!r}: the label {label} is not of this task ({' '.join(labels)})"
        )


def write_columns(sentences: Iterable[Sentence], out: TextIO, scheme: TagScheme) -> None:
    """Write ``word<TAB>tag`` rows, a blank line after every sentence.

    If any sentence has a predicate, all rows have ``V`` (at the predicate) or ``_`` in between.
    """
    every = list(sentences)
    flagged = any(sentence.predicate is not None for sentence in every)
    for sentence in every:
        tags = encode_tags(sentence.spans, len(sentence.tokens), scheme)
        for k, (token, tag) in enumerate(zip(sentence.tokens, tags, strict=True)):
            flag = ("V\t" if k == sentence.predicate else "_\t") if flagged else ""
            out.write(f"{token}\t{flag}{tag}\n")
        out.write("\n")

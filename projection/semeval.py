"""SemEval-2016 Task 5 reviews (subtask 1): opinion targets in XML, by character offsets."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from xml.parsers import expat

from projection.columns import read_bytes
from projection.errors import at_line
from projection.records import Corpus, Sentence, Span

POLARITIES = {"positive": "POS", "negative": "NEG", "neutral": "NEU"}
NO_TARGET = "NULL"
_WORD = re.compile(r"\w+(?:['’.,]\w+)*|[^\w\s]")
"""A run of letters and digits, marks inside of it included (``don't``, ``3.50``), or one mark."""


@dataclass(slots=True)
class _Opinion:
    line: int
    target: str
    label: str
    start: int
    end: int


@dataclass(slots=True)
class _Review:
    """One ``sentence`` element."""

    line: int
    out_of_scope: bool
    text: str = ""
    opinions: list[_Opinion] = field(default_factory=list)


def read_semeval(
    path: Path, language: str, labels: Sequence[str] = (), encoding: str = "utf-8"
) -> Corpus:
    """The sentences of all reviews, their explicit opinion targets as spans.

    Words are runs of letters and digits and single marks; a word that a target begins or ends in is
    cut there. Of several opinions on one target the first counts, as in the files that the paper's
    authors tokenised (all 52 English and Dutch sentences with opposite opinions agree); of targets
    that overlap the one that begins first, of these the longest.

    Args:
        path: Plain or gzipped.
        language: Put on every sentence.
        labels: The labels that may occur; empty for any.
        encoding: Ignored: XML says its own.

    Returns:
        A block for every sentence with words, also those out of scope, which carry no labelled
        sentence. Left out, and counted: sentences out of scope; opinions without a target, on a
        target that has one already (of its polarity, of another), on a target that overlaps
        another. Spans and opinions that are left out add up to the opinions of the file.

    Raises:
        InputError: Not XML, offsets that do not match their target, an unknown polarity.
    """
    reviews = [review for review in _reviews(path) if review.text.strip()]
    if not reviews:
        raise at_line(path, 1, "expected <sentence> elements with <text>, got none")
    left_out: Counter[str] = Counter()
    blocks, sentences, block_of = [], [], []
    for number, review in enumerate(reviews):
        targets = _targets(path, review, labels, left_out)
        words = _words(review.text, targets)
        blocks.append(tuple(review.text[start:end] for start, end in words))
        if review.out_of_scope:
            left_out["sentences out of scope"] += 1
            continue
        spans = tuple(_span(one, words) for one in targets)
        sentences.append(Sentence(f"{language}-{number}", language, blocks[-1], spans))
        block_of.append(number)
    return Corpus(language, tuple(sentences), tuple(blocks), tuple(block_of), dict(+left_out))


def _reviews(path: Path) -> Iterator[_Review]:
    reader = _Reader(path)
    try:
        reader.parser.Parse(read_bytes(path), True)
    except expat.ExpatError as error:
        raise at_line(path, error.lineno, f"not XML: {expat.ErrorString(error.code)}") from None
    return iter(reader.found)


class _Reader:
    """Collects sentences with the lines that they stand on."""

    def __init__(self, path: Path) -> None:
        self.found: list[_Review] = []
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._doctype
        self._path = path
        self._in_text = False

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        line = self.parser.CurrentLineNumber
        if name == "sentence":
            scope = attributes.get("OutOfScope", "").upper()
            self.found.append(_Review(line, scope == "TRUE"))
        elif name == "text" and self.found:
            self._in_text = True
        elif name == "Opinion" and self.found:
            self.found[-1].opinions.append(_opinion(self._path, line, attributes))

    def _end(self, name: str) -> None:
        if name == "text":
            self._in_text = False

    def _text(self, text: str) -> None:
        if self._in_text:
            self.found[-1].text += text

    def _doctype(self, *_arguments: object) -> None:
        line = self.parser.CurrentLineNumber
        raise at_line(self._path, line, "expected reviews, got a document type with entities")


def _opinion(path: Path, line: int, attributes: dict[str, str]) -> _Opinion:
    missing = [name for name in ("target", "polarity", "from", "to") if name not in attributes]
    if missing:
        raise at_line(
            path, line, f"expected an opinion with {', '.join(missing)}, got {attributes}"
        )
    if attributes["polarity"] not in POLARITIES:
        known = ", ".join(POLARITIES)
        raise at_line(path, line, f"unknown polarity {attributes['polarity']!r}; known: {known}")
    try:
        start, end = int(attributes["from"]), int(attributes["to"])
    except ValueError:
        raise at_line(path, line, f"expected numbers in from and to, got {attributes}") from None
    return _Opinion(line, attributes["target"], POLARITIES[attributes["polarity"]], start, end)


def _targets(
    path: Path, review: _Review, labels: Sequence[str], left_out: Counter[str]
) -> list[_Opinion]:
    """One opinion for each place in the text that counts, in order."""
    on_target: dict[tuple[int, int], list[_Opinion]] = {}
    for one in review.opinions:
        if one.target == NO_TARGET:
            left_out["opinions without a target"] += 1
            continue
        _check(path, review, one, labels)
        on_target.setdefault((one.start, one.end), []).append(one)
    placed: list[_Opinion] = []
    in_order = sorted(on_target.values(), key=lambda ones: (ones[0].start, -ones[0].end))
    for first, *others in in_order:
        if placed and first.start < placed[-1].end:
            left_out["opinions on a target that overlaps another"] += 1 + len(others)
            continue
        placed.append(first)
        for one in others:
            other = "another" if one.label != first.label else "its"
            left_out[f"further opinions on a target, of {other} polarity"] += 1
    return placed


def _check(path: Path, review: _Review, one: _Opinion, labels: Sequence[str]) -> None:
    found = review.text[one.start : one.end] if one.start >= 0 else ""
    if not found.strip() or _folded(found) != _folded(one.target):
        raise at_line(
            path,
            one.line,
            f"expected the target {one.target!r} at characters {one.start} to {one.end}, "
            f"got {found!r}",
        )
    if labels and one.label not in labels:
        raise at_line(
            path, one.line, f"the label {one.label} is not of this task ({' '.join(labels)})"
        )


def _folded(text: str) -> list[str]:
    """Annotators wrote targets in lower case now and then, and with other spaces."""
    return text.casefold().split()


def _words(text: str, targets: Sequence[_Opinion]) -> list[tuple[int, int]]:
    """Characters ``[start, end)`` of every word; none crosses the edge of a target."""
    edges = {0, len(text), *(one.start for one in targets), *(one.end for one in targets)}
    cuts = sorted(edges)
    return [
        match.span() for start, end in pairwise(cuts) for match in _WORD.finditer(text, start, end)
    ]


def _span(one: _Opinion, words: Sequence[tuple[int, int]]) -> Span:
    inside = [k for k, (start, end) in enumerate(words) if one.start <= start and end <= one.end]
    return Span(inside[0], inside[-1] + 1, one.label)

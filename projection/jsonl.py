"""Labelled sentences as JSON lines, the form in which the step store keeps them."""

import json
from collections.abc import Iterable
from pathlib import Path

from projection.records import Sentence, Span


def write_sentences(sentences: Iterable[Sentence], path: Path) -> None:
    """One object a line: id, language, tokens, spans as ``[start, end, label]``."""
    with path.open("w", encoding="utf-8") as out:
        for sentence in sentences:
            row = {
                "id": sentence.id,
                "language": sentence.language,
                "tokens": sentence.tokens,
                "spans": [(span.start, span.end, span.label) for span in sentence.spans],
            }
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def read_sentences(path: Path) -> list[Sentence]:
    """Read what :func:`write_sentences` wrote."""
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Sentence(
            row["id"],
            row["language"],
            tuple(row["tokens"]),
            tuple(Span(*span) for span in row["spans"]),
        )
        for row in rows
    ]

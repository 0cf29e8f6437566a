"""Labelled sentences as JSON lines, the form in which the step store keeps them."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from projection.records import Sentence, Span


def write_sentences(sentences: Iterable[Sentence], path: Path) -> None:
    """One object a line: id, language, tokens, spans as ``[start, end, label]``.

    ``pos`` and ``predicate`` stand only where the sentence has them.
    """
    with path.open("w", encoding="utf-8") as out:
        for sentence in sentences:
            out.write(json.dumps(_row(sentence), ensure_ascii=False) + "\n")


def _row(sentence: Sentence) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": sentence.id,
        "language": sentence.language,
        "tokens": sentence.tokens,
        "spans": [(span.start, span.end, span.label) for span in sentence.spans],
    }
    if sentence.pos is not None:
        row["pos"] = sentence.pos
    if sentence.predicate is not None:
        row["predicate"] = sentence.predicate
    return row


def read_sentences(path: Path) -> list[Sentence]:
    """Read what :func:`write_sentences` wrote."""
    with path.open(encoding="utf-8") as lines:
        return [_sentence(json.loads(line)) for line in lines]


def _sentence(row: Mapping[str, Any]) -> Sentence:
    return Sentence(
        row["id"],
        row["language"],
        tuple(row["tokens"]),
        tuple(Span(*span) for span in row["spans"]),
        tuple(row["pos"]) if "pos" in row else None,
        row.get("predicate"),
    )

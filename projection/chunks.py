"""Column files whose labels mark no boundaries: ``word T-POS ...``, as ABSA data is often kept.

A run of one label is one span, so two targets of one label that touch are read as one.
"""

from collections.abc import Sequence
from pathlib import Path

from projection.columns import read_blocks
from projection.errors import at_line
from projection.records import Corpus, Sentence, Span
from projection.schemes import OUTSIDE

ANY = "T"
"""What stands before the hyphen where no boundary is meant."""
BEGINS = frozenset("BS")
PREFIXES = frozenset({ANY, *BEGINS, *"IE"})


def read_chunks(
    path: Path, language: str, labels: Sequence[str] = (), encoding: str = "utf-8"
) -> Corpus:
    """Labelled sentences; the second column holds the labels, later ones are ignored.

    Some public files have a stray ``B-``, ``I-``, ``E-`` or ``S-`` among their ``T-``: ``B-`` and
    ``S-`` begin a span.

    Args:
        path: Plain or gzipped.
        language: Put on every sentence.
        labels: The labels that may occur; empty for any.
        encoding: Of the text.

    Raises:
        InputError: Unreadable file, ill-formed row, unknown label.
    """
    blocks = read_blocks(path, encoding, tag_column=1)
    sentences = []
    for number, block in enumerate(blocks):
        spans: list[Span] = []
        for word, tag in enumerate(block.tags):
            prefix, label = _split(path, block.line + word, tag, labels)
            goes_on = spans and spans[-1].end == word and spans[-1].label == label
            if label and goes_on and prefix not in BEGINS:
                spans[-1] = Span(spans[-1].start, word + 1, label)
            elif label:
                spans.append(Span(word, word + 1, label))
        sentences.append(Sentence(f"{language}-{number}", language, block.tokens, tuple(spans)))
    return Corpus(
        language,
        tuple(sentences),
        tuple(block.tokens for block in blocks),
        tuple(range(len(blocks))),
    )


def _split(path: Path, line: int, tag: str, labels: Sequence[str]) -> tuple[str, str]:
    if tag == OUTSIDE:
        return "", ""
    prefix, hyphen, label = tag.partition("-")
    if not hyphen or prefix not in PREFIXES or not label or (labels and label not in labels):
        expected = " ".join(f"{ANY}-{one}" for one in labels) or f"{ANY}-LABEL"
        raise at_line(path, line, f"illegal tag {tag!r}: expected {OUTSIDE} or {expected}")
    return prefix, label

"""Tagged passages as CoNLL columns, JSON lines, or text with coloured spans."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import click

from projection.passages import Passage
from projection.schemes import TagScheme, encode_tags
from trainers.span_tagger import Tagged

Show = Callable[[Passage, Tagged | None], str]
"""What is written of a passage, its last newline included."""

COLOURS = ("green", "blue", "magenta", "yellow", "cyan", "red")


def as_columns(passage: Passage, tagged: Tagged | None) -> str:
    """``word<TAB>tag`` rows in IOB2 and a blank line; nothing for a passage without words."""
    if tagged is None:
        return ""
    sentence = tagged.sentence
    tags = encode_tags(sentence.spans, len(sentence.tokens), TagScheme.BIO)
    rows = (f"{token}\t{tag}\n" for token, tag in zip(sentence.tokens, tags, strict=True))
    return "".join(rows) + "\n"


def as_json(passage: Passage, tagged: Tagged | None) -> str:
    """One object: ``text``, ``tokens``, and for each span its ``label``, ``start`` and ``end`` in
    the characters of the text, ``text``, ``words`` ``[first, last + 1]`` and ``score``."""
    row: dict[str, object] = {"id": passage.id} if passage.id is not None else {}
    row |= {"text": passage.text, "tokens": passage.tokens, "spans": list(_spans(passage, tagged))}
    return json.dumps(row, ensure_ascii=False) + "\n"


def _spans(passage: Passage, tagged: Tagged | None) -> Iterator[dict[str, object]]:
    for span in tagged.sentence.spans if tagged else ():
        start, end = passage.characters(span.start, span.end)
        yield {
            "label": span.label,
            "start": start,
            "end": end,
            "text": passage.text[start:end],
            "words": [span.start, span.end],
            "score": round(tagged.score(span), 4) if tagged else None,
        }


def coloured(labels: Sequence[str]) -> Show:
    """The text as it was, with each span in the colour of its label and the label after it."""
    colours = {label: COLOURS[k % len(COLOURS)] for k, label in enumerate(labels)}

    def show(passage: Passage, tagged: Tagged | None) -> str:
        shown, done = [], 0
        for span in tagged.sentence.spans if tagged else ():
            start, end = passage.characters(span.start, span.end)
            shown.append(passage.text[done:start])
            colour = colours.get(span.label, COLOURS[0])
            shown.append(click.style(passage.text[start:end], fg=colour, bold=True))
            shown.append(click.style(f"[{span.label}]", fg=colour, dim=True))
            done = end
        return "".join([*shown, passage.text[done:], "\n"])

    return show


OUTPUTS: Mapping[str, Callable[[Sequence[str]], Show]] = MappingProxyType(
    {
        "conll": lambda _labels: as_columns,
        "jsonl": lambda _labels: as_json,
        "colour": coloured,
    }
)
"""Forms of output by name; each is made for the labels that may occur."""

"""Tag schemes: spans to one tag a word and back.

Ill-formed tag sequences are read in one of two stated ways. :func:`decode_tags` follows conlleval:
a tag that cannot continue what stands before it starts a new span, and a span ends where the next
tag cannot continue it. :func:`decode_strict` follows seqeval's strict mode: what is not a whole,
well-formed chunk of the scheme is no span at all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from projection.records import Span

OUTSIDE = "O"


class TagScheme(StrEnum):
    """How spans are written as tags; ``IOB1`` is only read, never written."""

    BIOES = "bioes"
    BIO = "bio"
    """IOB2: every span begins with B-."""
    IOB1 = "iob1"
    """B- only where a span follows another of its label."""
    OI = "oi"
    """Every labelled word is a span of its own (heads of arguments, paper §6.2)."""


_PREFIXES = {
    TagScheme.BIOES: "BIES",
    TagScheme.BIO: "BI",
    TagScheme.IOB1: "IB",
    TagScheme.OI: "I",
}


def tag_set(labels: Sequence[str], scheme: TagScheme) -> tuple[str, ...]:
    """All tags of ``scheme`` over ``labels``: ``O`` first, then label by label.

    >>> tag_set(["PER"], TagScheme.BIOES)
    ('O', 'B-PER', 'I-PER', 'E-PER', 'S-PER')
    """
    prefixes = _PREFIXES[scheme]
    return (OUTSIDE, *(f"{prefix}-{label}" for label in labels for prefix in prefixes))


def split_tag(tag: str) -> tuple[str, str]:
    """``"B-PER"`` as ``("B", "PER")``; ``O`` has an empty label.

    Raises:
        ValueError: Neither ``O`` nor one of B, I, E, S, a hyphen and a label.
    """
    if tag == OUTSIDE:
        return OUTSIDE, ""
    prefix, hyphen, label = tag.partition("-")
    if prefix not in ("B", "I", "E", "S") or not hyphen or not label:
        raise ValueError(f"expected O or one of B- I- E- S- and a label, got {tag!r}")
    return prefix, label


def may_follow(before: str, tag: str, scheme: TagScheme) -> bool:
    """True if a well-formed sequence may have ``tag`` right after ``before``.

    Before its first word and after its last stands, as it were, ``O``.

    >>> may_follow("B-PER", "E-PER", TagScheme.BIOES), may_follow("B-PER", "O", TagScheme.BIOES)
    (True, False)
    """
    if scheme not in (TagScheme.BIOES, TagScheme.BIO):
        return True
    (prefix_before, label_before), (prefix, label) = split_tag(before), split_tag(tag)
    can_go_on = prefix_before in ("B", "I")
    if prefix in ("I", "E"):
        return can_go_on and label == label_before
    return scheme is TagScheme.BIO or not can_go_on


def encode_tags(spans: Iterable[Span], length: int, scheme: TagScheme) -> list[str]:
    """One tag a word for ``length`` words.

    OI loses widths: a span of several words becomes one span a word.

    Raises:
        ValueError: ``scheme`` is IOB1, or a span ends after ``length``.
    """
    if scheme is TagScheme.IOB1:
        raise ValueError("IOB1 is read but never written; use bio (IOB2)")
    tags = [OUTSIDE] * length
    for span in spans:
        if span.end > length:
            raise ValueError(f"{span} does not fit into {length} words")
        tags[span.start : span.end] = _chunk(span.label, span.end - span.start, scheme)
    return tags


def _chunk(label: str, width: int, scheme: TagScheme) -> list[str]:
    if scheme is TagScheme.OI:
        prefixes = "I" * width
    elif scheme is TagScheme.BIO:
        prefixes = "B" + "I" * (width - 1)
    else:
        prefixes = "S" if width == 1 else "B" + "I" * (width - 2) + "E"
    return [f"{prefix}-{label}" for prefix in prefixes]


def decode_tags(tags: Sequence[str], scheme: TagScheme) -> list[Span]:
    """Spans of ``tags`` by conlleval's rules, which also read ill-formed sequences.

    A span starts at B- or S-, and at I- or E- after ``O``, after E- or S-, or after another label.
    It ends before ``O``, B-, S- or another label, and after E- or S-. In OI every tag but ``O`` is
    a span of one word.

    Raises:
        ValueError: A tag is not of the form that :func:`split_tag` reads.
    """
    if scheme is TagScheme.OI:
        return [Span(j, j + 1, split_tag(tag)[1]) for j, tag in enumerate(tags) if tag != OUTSIDE]
    spans: list[Span] = []
    start, open_label = 0, ""
    for j, tag in enumerate(tags):
        prefix, label = split_tag(tag)
        continues = prefix in ("I", "E") and label == open_label
        if open_label and not continues:
            spans.append(Span(start, j, open_label))
        if label and not continues:
            start = j
        open_label = label
        if prefix in ("E", "S"):
            spans.append(Span(start, j + 1, label))
            open_label = ""
    if open_label:
        spans.append(Span(start, len(tags), open_label))
    return spans


def decode_strict(tags: Sequence[str], scheme: TagScheme) -> list[Span]:
    """Spans whose chunk is whole and well formed, as seqeval's strict mode counts them.

    BIOES: S, or B I* E of one label. BIO: B I* of one label; a stray I- is no span.

    Raises:
        ValueError: A tag is not of the form that :func:`split_tag` reads.
    """
    decoded = decode_tags(tags, scheme)
    if scheme is TagScheme.OI:
        return decoded
    return [span for span in decoded if _well_formed(tags[span.start : span.end], scheme)]


def count_irregular(sentences: Iterable[Sequence[str]], scheme: TagScheme) -> int:
    """How many spans, by conlleval's rules, are not well formed in ``scheme``."""
    return sum(
        len(decode_tags(tags, scheme)) - len(decode_strict(tags, scheme)) for tags in sentences
    )


def _well_formed(chunk: Sequence[str], scheme: TagScheme) -> bool:
    prefixes = "".join(tag[0] for tag in chunk)
    if scheme is TagScheme.BIOES:
        return prefixes == "S" or (len(prefixes) > 1 and prefixes[0] + prefixes[-1] == "BE")
    return scheme is TagScheme.IOB1 or prefixes[0] == "B"


@dataclass(frozen=True, slots=True)
class Detected:
    """The scheme of a file, and how many of its spans start as the scheme does not allow."""

    scheme: TagScheme
    irregular: int


MAX_IRREGULAR = 0.01
"""Share of span starts that may break the majority's rule before a file counts as mixed."""


def detect_scheme(sentences: Iterable[Sequence[str]]) -> Detected:
    """Tell IOB1, IOB2 and BIOES apart by how spans start and end.

    Real files carry a few slips (each native CoNLL-2002 Spanish file has one); up to 1 % of the
    spans may break the rule of the majority and are then read by conlleval's rules and counted.

    Raises:
        ValueError: More than that: the file mixes schemes.
    """
    b_starts = i_starts = bioes_marks = not_bioes = 0
    for tags in sentences:
        previous: Span | None = None
        for span in decode_tags(tags, TagScheme.BIO):
            prefixes = [tag[0] for tag in tags[span.start : span.end]]
            bioes_marks += prefixes[-1] in "ES"
            not_bioes += not _well_formed(tags[span.start : span.end], TagScheme.BIOES)
            follows = previous and (previous.end, previous.label) == (span.start, span.label)
            b_starts += prefixes[0] == "B" and not follows
            i_starts += prefixes[0] == "I"
            previous = span
    if bioes_marks > not_bioes:
        return _majority(TagScheme.BIOES, bioes_marks, not_bioes, "B- or I- without E-")
    if i_starts > b_starts:
        slips = b_starts + bioes_marks
        return _majority(TagScheme.IOB1, i_starts, slips, "B- where IOB1 has I-, or E- or S-")
    slips = i_starts + bioes_marks
    return _majority(TagScheme.BIO, b_starts, slips, "I- at the start of a span, or E- or S-")


def _majority(scheme: TagScheme, regular: int, irregular: int, what: str) -> Detected:
    if irregular > MAX_IRREGULAR * (regular + irregular):
        raise ValueError(
            f"mixed tag schemes: {regular} spans follow {scheme} but {irregular} have {what}; "
            "rewrite the file in one scheme"
        )
    return Detected(scheme, irregular)

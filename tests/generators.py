"""Hypothesis generators that several tests share, and how many examples a law gets."""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st

from projection.inputs import UPOS
from projection.records import Alignment, Sentence, Span
from projection.schemes import OUTSIDE

law = settings(max_examples=100)
"""Decorator of every law."""

labels = st.sampled_from(["PER", "LOC", "B-CELL"])
"""One of them holds a hyphen and begins like a prefix."""

words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=6)
"""What may stand in the first column of a file: no spaces, no control characters."""


@st.composite
def disjoint_spans(draw, max_spans=4):
    """Sorted disjoint spans, adjacent ones among them, and the length of their sentence."""
    spans, position = [], 0
    steps = st.tuples(st.integers(0, 2), st.integers(1, 4), labels)
    for gap, width, label in draw(st.lists(steps, max_size=max_spans)):
        start = position + gap
        position = start + width
        spans.append(Span(start, position, label))
    return spans, position + draw(st.integers(0, 3))


def tag_sequences(prefixes):
    """Any sequence of tags with these prefixes, ill-formed ones and the empty one too."""
    labelled = st.builds("{}-{}".format, st.sampled_from(prefixes), labels)
    return st.lists(st.just(OUTSIDE) | labelled, max_size=10)


@st.composite
def sentences(draw, sentence_id="en-0", language="en"):
    """A labelled sentence of at least one word."""
    spans, length = draw(disjoint_spans())
    length = max(length, 1)
    tokens = draw(st.lists(words, min_size=length, max_size=length))
    return Sentence(sentence_id, language, tuple(tokens), tuple(spans))


@st.composite
def predicated_sentences(draw):
    """A sentence with or without POS tags, with or without a predicate."""
    sentence = draw(sentences())
    length = len(sentence.tokens)
    pos = st.tuples(*[st.sampled_from(UPOS)] * length)
    return replace(
        sentence,
        pos=draw(st.none() | pos),
        predicate=draw(st.none() | st.integers(0, length - 1)),
    )


@st.composite
def aligned_pairs(draw):
    """A labelled source sentence, an unlabelled target one and any alignment between them."""
    source = draw(sentences())
    target = Sentence(source.id, "de", ("w",) * draw(st.integers(1, 10)))
    link = st.tuples(st.integers(0, len(source.tokens) - 1), st.integers(0, len(target.tokens) - 1))
    return source, target, Alignment(draw(st.lists(link, max_size=15)))

"""Constrained decoding finds what an enumeration of all allowed sequences finds."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.schemes import TagScheme, decode_strict, decode_tags, tag_set
from tests.generators import law
from trainers.decoding import Decoder, Decoding

LABELS = ("PER", "LOC")
SCHEMES = [TagScheme.BIOES, TagScheme.BIO]


def is_whole(tags, scheme):
    """All of its chunks, by conlleval's rules, are well formed."""
    return decode_tags(tags, scheme) == decode_strict(tags, scheme)


def best_by_enumeration(scores, tags, scheme):
    ways = product(range(len(tags)), repeat=len(scores))
    allowed = [way for way in ways if is_whole([tags[k] for k in way], scheme)]
    totals = [sum(float(row[k]) for row, k in zip(scores, way, strict=True)) for way in allowed]
    return allowed[int(np.argmax(totals))]


@pytest.mark.parametrize("scheme", SCHEMES)
@law
@given(lengths=st.lists(st.integers(0, 4), min_size=1, max_size=4), seed=st.integers(0, 999))
def test_it_is_the_best_of_all_allowed_sequences(scheme, lengths, seed):
    tags = tag_set(LABELS[:1], scheme)
    scores = np.random.default_rng(seed).normal(size=(sum(lengths), len(tags))).astype(np.float32)
    found = Decoder(tags, scheme, Decoding.CONSTRAINED)(scores, np.array(lengths))
    ends = np.cumsum(lengths)[:-1]
    for ids, given_scores in zip(np.split(found, ends), np.split(scores, ends), strict=True):
        assert tuple(ids) == best_by_enumeration(given_scores, tags, scheme)


@pytest.mark.parametrize("scheme", SCHEMES)
@law
@given(length=st.integers(1, 40), seed=st.integers(0, 999))
def test_every_chunk_is_whole_and_a_whole_argmax_is_kept(scheme, length, seed):
    tags = tag_set(LABELS, scheme)
    draw = np.random.default_rng(seed)
    scores = draw.normal(size=(length, len(tags))).astype(np.float32)
    found = Decoder(tags, scheme, Decoding.CONSTRAINED)(scores, np.array([length]))
    names = [tags[k] for k in found]
    assert is_whole(names, scheme)
    again = scores.copy()
    again[np.arange(length), found] += 100
    kept = Decoder(tags, scheme, Decoding.CONSTRAINED)(again, np.array([length]))
    assert kept.tolist() == found.tolist() == again.argmax(axis=1).tolist()


def test_argmax_takes_each_word_for_itself_even_if_no_chunk_is_whole():
    tags = tag_set(LABELS, TagScheme.BIOES)
    scores = np.eye(len(tags), dtype=np.float32)[[tags.index("I-PER"), tags.index("B-LOC")]]
    found = Decoder(tags, TagScheme.BIOES, Decoding.ARGMAX)(scores, np.array([2]))
    assert [tags[k] for k in found] == ["I-PER", "B-LOC"]


def test_oi_allows_everything():
    tags = tag_set(LABELS, TagScheme.OI)
    scores = np.random.default_rng(1).normal(size=(50, len(tags))).astype(np.float32)
    found = Decoder(tags, TagScheme.OI, Decoding.CONSTRAINED)(scores, np.array([20, 0, 30]))
    assert found.tolist() == scores.argmax(axis=1).tolist()

"""How a model reads sentences: no word is lost, and batches hold what they should."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.generators import law
from trainers.reading import Excerpt, batches_by_length, excerpts

lengths = st.lists(st.integers(1, 9), min_size=1, max_size=40)


@law
@given(lengths, st.integers(1, 20), st.data())
def test_every_word_of_a_long_sentence_gets_its_tag_from_exactly_one_excerpt(words, room, data):
    overlap = data.draw(st.integers(0, room - 1))
    found = excerpts(words, room, overlap)
    assert [k for one in found for k in range(one.first, one.last)] == list(range(len(words)))
    for one in found:
        assert one.start <= one.first < one.last <= one.end
        assert sum(min(length, room) for length in words[one.start : one.end]) <= room


@law
@given(lengths, st.integers(1, 20), st.data())
def test_neighbouring_excerpts_share_no_more_pieces_than_they_may(words, room, data):
    overlap = data.draw(st.integers(0, room - 1))
    found = excerpts(words, room, overlap)
    for left, right in pairwise(found):
        assert left.start < right.start <= left.end < right.end
        assert sum(words[right.start : left.end]) <= overlap


@law
@given(lengths, st.integers(0, 5))
def test_a_sentence_for_which_there_is_room_is_read_at_once(words, spare):
    room = sum(words) + spare
    assert excerpts(words, room, room // 4) == [Excerpt(0, len(words), 0, len(words))]


def test_excerpts_part_in_the_middle_of_what_they_share():
    assert excerpts([1] * 10, room=6, overlap=4) == [
        Excerpt(0, 6, 0, 4),
        Excerpt(2, 8, 4, 6),
        Excerpt(4, 10, 6, 10),
    ]


@law
@given(st.lists(st.integers(1, 30), max_size=30), st.integers(1, 60))
def test_batches_hold_every_sentence_once_and_no_more_padded_pieces_than_they_may(sizes, limit):
    batches = batches_by_length(np.array(sizes, dtype=np.int64), limit)
    assert sorted(k for batch in batches for k in batch) == list(range(len(sizes)))
    for batch in batches:
        padded = len(batch) * max(sizes[k] for k in batch)
        assert len(batch) == 1 or padded <= limit

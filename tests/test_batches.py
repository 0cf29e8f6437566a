"""Batches are a pure function of seed, purpose and step, and an epoch shows every sentence once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.batches import BatchOrder, parts_of_similar_length

SIZES = st.integers(1, 180)
LENGTHS = st.lists(st.integers(3, 60), min_size=1, max_size=9).map(np.array)


def order_of(size, batch_size=4, seed=1, purpose="finetune"):
    return BatchOrder(size, batch_size, seed, purpose)


@given(SIZES, st.integers(1, 7), st.integers(0, 3), st.integers(0, 2))
def test_every_epoch_shows_every_sentence_once(size, batch_size, seed, epoch):
    order = order_of(size, batch_size, seed)
    in_epoch = -(-size // batch_size)
    shown = [order(epoch * in_epoch + i) for i in range(in_epoch)]
    assert sorted(np.concatenate(shown).tolist()) == list(range(size))
    assert max(map(len, shown)) <= batch_size


@given(SIZES, st.lists(st.integers(0, 60), min_size=1, max_size=20))
def test_the_batch_of_a_step_does_not_depend_on_which_were_asked_before(size, steps):
    asked = order_of(size, 5)
    for step in steps:
        assert asked(step).tolist() == order_of(size, 5)(step).tolist()


def test_epochs_seeds_and_purposes_differ_in_their_batches():
    orders = [
        order_of(40),
        order_of(40, seed=2),
        order_of(40, purpose="warmup"),
        BatchOrder(40, 4, 1, "warmup", "de"),
        BatchOrder(40, 4, 1, "warmup", "es"),
    ]
    epochs = [[order(step).tolist() for step in range(10)] for order in orders]
    epochs.append([orders[0](10 + step).tolist() for step in range(10)])
    assert all(a != b for i, a in enumerate(epochs) for b in epochs[:i])


@given(SIZES, st.integers(1, 7), st.integers(0, 9), st.floats(0, 1.5))
def test_distinct_counts_the_different_sentences_of_the_first_steps(size, batch_size, seed, epochs):
    order = order_of(size, batch_size, seed)
    steps = int(epochs * -(-size // batch_size))
    seen = {int(k) for step in range(steps) for k in order(step)}
    assert order.distinct(steps) == len(seen)


@given(LENGTHS, st.integers(0, 40))
def test_no_other_division_of_a_batch_into_lengths_is_cheaper(lengths, per_part):
    """Beside all ways to cut the sentences, in the order of their lengths, into runs."""
    ordered = sorted(lengths.tolist())

    def cost(parts):
        return sum(len(part) * max(part) + per_part for part in parts)

    def divisions(rest):
        return [
            [rest[:n], *others]
            for n in range(1, len(rest) + 1)
            for others in (divisions(rest[n:]) if rest[n:] else [[]])
        ]

    found = parts_of_similar_length(lengths, per_part)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(lengths)))
    assert cost([lengths[part].tolist() for part in found]) == min(map(cost, divisions(ordered)))


def test_sentences_of_one_length_are_one_part():
    assert len(parts_of_similar_length(np.full(8, 20), 1)) == 1


def test_an_empty_corpus_is_refused():
    with pytest.raises(ValueError, match="empty corpus"):
        order_of(0)

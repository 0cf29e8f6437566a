"""Batches are a pure function of seed, purpose and step, and an epoch shows every sentence once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.batches import BatchOrder

LENGTHS = st.lists(st.integers(3, 60), min_size=1, max_size=180).map(np.array)


def order_of(lengths, batch_size=4, seed=1, purpose="finetune"):
    return BatchOrder(np.asarray(lengths), batch_size, seed, purpose)


@given(LENGTHS, st.integers(1, 7), st.integers(0, 3), st.integers(0, 2))
def test_every_epoch_shows_every_sentence_once(lengths, batch_size, seed, epoch):
    order = order_of(lengths, batch_size, seed)
    in_epoch = -(-len(lengths) // batch_size)
    shown = [order(epoch * in_epoch + i) for i in range(in_epoch)]
    assert sorted(np.concatenate(shown).tolist()) == list(range(len(lengths)))
    assert max(map(len, shown)) <= batch_size


@given(LENGTHS, st.lists(st.integers(0, 60), min_size=1, max_size=20))
def test_the_batch_of_a_step_does_not_depend_on_which_were_asked_before(lengths, steps):
    asked = order_of(lengths, 5)
    for step in steps:
        assert asked(step).tolist() == order_of(lengths, 5)(step).tolist()


def test_epochs_seeds_and_purposes_differ_in_their_batches():
    lengths = np.full(40, 7)
    orders = [
        order_of(lengths),
        order_of(lengths, seed=2),
        order_of(lengths, purpose="warmup"),
        BatchOrder(lengths, 4, 1, "warmup", "de"),
        BatchOrder(lengths, 4, 1, "warmup", "es"),
    ]
    epochs = [[order(step).tolist() for step in range(10)] for order in orders]
    epochs.append([orders[0](10 + step).tolist() for step in range(10)])
    assert all(a != b for i, a in enumerate(epochs) for b in epochs[:i])


@given(LENGTHS, st.integers(1, 7), st.integers(0, 9), st.floats(0, 1.5))
def test_distinct_counts_the_different_sentences_of_the_first_steps(
    lengths, batch_size, seed, epochs
):
    order = order_of(lengths, batch_size, seed)
    steps = int(epochs * -(-len(lengths) // batch_size))
    seen = {int(k) for step in range(steps) for k in order(step)}
    assert order.distinct(steps) == len(seen)


def test_batches_are_padded_less_than_random_ones():
    lengths = np.random.default_rng(0).integers(5, 100, size=320)
    order, batch_size = order_of(lengths, 8), 8
    random = np.random.default_rng(1).permutation(320).reshape(-1, batch_size)

    def padding(batches):
        return sum(int((lengths[which].max() - lengths[which]).sum()) for which in batches)

    assert padding(order(step) for step in range(40)) < 0.2 * padding(random)


def test_any_two_sentences_of_a_pool_may_meet_in_a_batch():
    """Equal lengths are not tied to one neighbour: over epochs sentence 0 meets all others."""
    order = order_of(np.full(12, 9), 3)
    met = {int(k) for step in range(4 * 40) for k in order(step) if 0 in order(step)}
    assert met == set(range(12))


def test_an_empty_corpus_is_refused():
    with pytest.raises(ValueError, match="empty corpus"):
        order_of(np.array([], dtype=np.int64))

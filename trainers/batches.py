"""Which sentences make the batch of a step: a pure function of seed, purpose and step number."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from trainers.seeding import generator


class BatchOrder:
    """An endless, reproducible sequence of batches over one corpus, drawn at random.

    An epoch visits every sentence once; its last batch may be smaller. Which sentences share a
    batch does not depend on their lengths: corpora have runs of short look-alikes (score lines,
    headlines), and steps that see nothing else cost a point of F1 (``docs/LOG.md``).

    Args:
        size: Sentences of the corpus.
        batch_size: Sentences a batch.
        seed: Of the run.
        purpose: Keeps different uses of one seed apart, such as ``("warmup", "de")``.
    """

    def __init__(self, size: int, batch_size: int, seed: int, *purpose: str | int) -> None:
        if not size:
            raise ValueError("an empty corpus has no batches")
        self._size = size
        self._batch_size = batch_size
        self._seed = seed
        self._purpose = purpose
        self._batches_per_epoch = -(-size // batch_size)
        self._epoch = lru_cache(maxsize=1)(self._shuffled)

    def __call__(self, step: int) -> NDArray[np.int64]:
        """Sentence numbers of the batch of ``step``, from 0."""
        epoch, index = divmod(step, self._batches_per_epoch)
        return self._epoch(epoch)[index]

    def distinct(self, steps: int) -> int:
        """How many different sentences the first ``steps`` batches show."""
        if steps >= self._batches_per_epoch:
            return self._size
        return sum(len(self(step)) for step in range(steps))

    def _shuffled(self, epoch: int) -> list[NDArray[np.int64]]:
        draw = generator(self._seed, *self._purpose, "batches", epoch)
        order = draw.permutation(self._size)
        return [order[i : i + self._batch_size] for i in range(0, self._size, self._batch_size)]


def parts_of_similar_length(
    lengths: NDArray[np.int64], pieces_per_part: int
) -> list[NDArray[np.int64]]:
    """A batch in parts that are cheapest to run one after the other, each padded to its longest.

    The gradients of the parts add up to that of the batch, so this is about time alone.

    >>> [part.tolist() for part in parts_of_similar_length(np.array([9, 50, 8, 48]), 16)]
    [[2, 0], [3, 1]]

    Args:
        lengths: Pieces of the batch's sentences, ``(B,)``.
        pieces_per_part: What a part costs beside its padded pieces, in pieces.

    Returns:
        Places in the batch, shortest sentences first.
    """
    order = np.argsort(lengths, kind="stable")
    longest = lengths[order]
    costs, starts = [0], [0]
    for stop in range(1, len(order) + 1):
        cost, start = min(
            (costs[start] + (stop - start) * int(longest[stop - 1]) + pieces_per_part, start)
            for start in range(stop)
        )
        costs.append(cost)
        starts.append(start)
    parts, stop = [], len(order)
    while stop:
        parts.append(order[starts[stop] : stop])
        stop = starts[stop]
    return parts[::-1]

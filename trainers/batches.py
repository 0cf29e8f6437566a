"""Which sentences make the batch of a step: a pure function of seed, purpose and step number."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from trainers.seeding import generator

POOL_BATCHES = 50
"""Sentences are sorted by length within shuffled pools of so many batches: little padding, and
still any two sentences may meet in a batch in some epoch."""


class BatchOrder:
    """An endless, reproducible sequence of batches over one corpus.

    An epoch visits every sentence once; the last batch of a pool may be smaller.

    Args:
        lengths: Pieces of every sentence, ``(S,)``.
        batch_size: Sentences a batch.
        seed: Of the run.
        purpose: Keeps different uses of one seed apart, such as ``("warmup", "de")``.
    """

    def __init__(
        self, lengths: NDArray[np.int64], batch_size: int, seed: int, *purpose: str | int
    ) -> None:
        if not len(lengths):
            raise ValueError("an empty corpus has no batches")
        self._lengths = lengths
        self._batch_size = batch_size
        self._seed = seed
        self._purpose = purpose
        self._batches_per_epoch = -(-len(lengths) // batch_size)
        self._epoch = lru_cache(maxsize=1)(self._shuffled)

    def __call__(self, step: int) -> NDArray[np.int64]:
        """Sentence numbers of the batch of ``step``, from 0."""
        epoch, index = divmod(step, self._batches_per_epoch)
        return self._epoch(epoch)[index]

    def distinct(self, steps: int) -> int:
        """How many different sentences the first ``steps`` batches show."""
        if steps >= self._batches_per_epoch:
            return len(self._lengths)
        return sum(len(self(step)) for step in range(steps))

    def _shuffled(self, epoch: int) -> list[NDArray[np.int64]]:
        draw = generator(self._seed, *self._purpose, "batches", epoch)
        order = draw.permutation(len(self._lengths))
        size = self._batch_size
        batches = []
        for start in range(0, len(order), POOL_BATCHES * size):
            pool = order[start : start + POOL_BATCHES * size]
            pool = pool[np.argsort(self._lengths[pool], kind="stable")]
            batches += [pool[i : i + size] for i in range(0, len(pool), size)]
        return [batches[i] for i in draw.permutation(len(batches))]

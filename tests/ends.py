"""Ends of languages without a model, for the outer step."""

import torch

from trainers.flat import Layout
from trainers.warmup import LanguageEnd

NO_ROWS, NO_TABLE = torch.zeros(0, dtype=torch.long), torch.zeros(0, 1)

SPARSE = Layout(4, 50, 2)
"""4 numbers and a table of 50 rows of 2; languages touch few rows, others each round."""


def dense_end(language, dense, loss=0.0):
    return LanguageEnd(language, dense, NO_ROWS, NO_TABLE, loss)


def end(language, *values, loss=0.0):
    return dense_end(language, torch.tensor(values), loss)


def random_ends(size, *, seed=0, start=None):
    """A start and one end a language, a small random step away."""
    draw = torch.Generator().manual_seed(seed)
    start = torch.randn(size, generator=draw) if start is None else start
    return start, [
        dense_end(language, start + 1e-3 * torch.randn(size, generator=draw), loss)
        for language, loss in (("de", 0.5), ("es", 1.5), ("nl", 2.5))
    ]


def sparse_ends(start, z, *, whole):
    """Random ends that leave most rows alone; ``whole`` puts them in a vector without a table."""
    found = []
    for number, language in enumerate(("de", "es", "nl")):
        draw = torch.Generator().manual_seed(100 * z + number)
        rows = torch.randperm(50, generator=draw)[:5].sort().values
        vector = start.clone()
        SPARSE.dense_of(vector).add_(torch.randn(4, generator=draw))
        table = SPARSE.table_of(vector)
        table[rows] += torch.randn(5, 2, generator=draw)
        if whole:
            found.append(dense_end(language, vector))
        else:
            found.append(LanguageEnd(language, vector[:4], rows, table[rows], 0.0))
    return found

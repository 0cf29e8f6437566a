"""Several taggers as one: they vote with their probabilities.

Shape letters: N words of the batch, L tags, M taggers.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainers.collation import Batch
from trainers.tagger import Tagger


class Committee(nn.Module):
    """Scores of every tag for every word: the logarithm of the mean probability ("soft vote").

    Args:
        members: One or more taggers that read the same pieces and have the same tags.

    Raises:
        ValueError: They have not.
    """

    def __init__(self, members: Sequence[Tagger]) -> None:
        super().__init__()
        if len({(one.num_tags, one.padding) for one in members}) != 1:
            raise ValueError("taggers that vote must have the same tags and padding")
        self._members = nn.ModuleList(members)
        self.num_tags = members[0].num_tags
        """L."""
        self.padding = members[0].padding
        """Piece id to pad with."""

    def forward(self, batch: Batch) -> Tensor:
        """Logarithms of the mean probabilities, ``(N, L)``."""
        logs_MNL = torch.stack([one(batch).float().log_softmax(dim=1) for one in self._members])
        mean_NL: Tensor = logs_MNL.logsumexp(dim=0) - math.log(len(self._members))
        return mean_NL

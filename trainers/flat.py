"""All parameters of a model as views into one contiguous float32 vector, and so their gradients.

A warm-up round then copies vectors, never dictionaries of tensors, and an optimiser step is a few
operations on one long array.

Shape letters: N parameters in all, D of them outside the word embedding, which is a table of V rows
of width H: N = D + V * H.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Layout:
    """What lies where in a vector: first what every step moves, then a table, moved row by row.

    Args:
        dense: D.
        rows: V.
        width: H.
    """

    dense: int
    rows: int = 0
    width: int = 1

    @property
    def size(self) -> int:
        """N."""
        return self.dense + self.rows * self.width

    def dense_of(self, vector: Tensor) -> Tensor:
        """The first part of ``vector``, a view ``(D,)``."""
        return vector[: self.dense]

    def table_of(self, vector: Tensor) -> Tensor:
        """The table at the end of ``vector``, a view ``(V, H)``."""
        return vector[self.dense : self.size].view(self.rows, self.width)


class FlatModel:
    """A module whose parameters and gradients live in two vectors of N numbers.

    Args:
        module: On its final device, float32; its parameters are re-pointed to views.
        sparse_rows: An embedding of ``module`` whose gradient is added row by row, so that rows
            that no batch touched cost nothing on the way back.
        trains: False for a model that is only read; it has no gradients.

    Attributes:
        layout: ``sparse_rows`` is the table; without it there is none.
        values: ``(N,)`` float32, in the order of ``module.named_parameters()`` but for the table,
            which comes last.
        gradients: ``(N,)`` float32, same order; empty for a model that is only read.
    """

    def __init__(
        self,
        module: nn.Module,
        sparse_rows: nn.Embedding | None = None,
        *,
        trains: bool = True,
    ) -> None:
        self.module = module
        self._parameters = list(module.parameters())
        if sparse_rows is not None:
            sparse_rows.sparse = True
            self._parameters.sort(key=lambda parameter: parameter is sparse_rows.weight)
        total = sum(parameter.numel() for parameter in self._parameters)
        rows, width = sparse_rows.weight.shape if sparse_rows is not None else (0, 1)
        self.layout = Layout(total - rows * width, rows, width)
        self.values = torch.cat([parameter.detach().flatten() for parameter in self._parameters])
        self.move_to(self.values)
        self.gradients = torch.zeros_like(self.values[: total if trains else 0])
        if trains:
            for parameter, part in zip(self._parameters, self._parts(self.gradients), strict=True):
                parameter.grad = part

    def move_to(self, vector: Tensor) -> None:
        """Let the parameters be views into ``vector`` ``(N,)`` from now on, with what it holds."""
        self.values = vector
        for parameter, part in zip(self._parameters, self._parts(vector), strict=True):
            parameter.data = part

    def _parts(self, vector: Tensor) -> list[Tensor]:
        sizes = [parameter.numel() for parameter in self._parameters]
        parts = vector.split(sizes)
        return [part.view_as(like) for part, like in zip(parts, self._parameters, strict=True)]

"""All parameters of a model as views into one contiguous float32 vector, and so their gradients.

A warm-up round then copies vectors, never dictionaries of tensors, and an optimiser step is a few
operations on one long array.
"""

import torch
from torch import nn


class FlatModel:
    """A module whose parameters and gradients live in two vectors of N numbers.

    Args:
        module: On its final device, float32; its parameters are re-pointed to views.
        sparse_rows: An embedding of ``module`` whose gradient is added row by row, so that rows
            that no batch touched cost nothing on the way back.

    Attributes:
        values: ``(N,)`` float32, in the order of ``module.named_parameters()``.
        gradients: ``(N,)`` float32, same order.
    """

    def __init__(self, module: nn.Module, sparse_rows: nn.Embedding | None = None) -> None:
        self.module = module
        parameters = list(module.parameters())
        if sparse_rows is not None:
            sparse_rows.sparse = True
        total = sum(parameter.numel() for parameter in parameters)
        self.values = torch.empty(total, device=parameters[0].device)
        self.gradients = torch.zeros_like(self.values)
        start = 0
        for parameter in parameters:
            part = slice(start, start + parameter.numel())
            self.values[part] = parameter.detach().flatten()
            parameter.data = self.values[part].view_as(parameter)
            parameter.grad = self.gradients[part].view_as(parameter)
            start = part.stop

"""All parameters of a model as views into one contiguous float32 vector, and so their gradients.

A warm-up round then copies vectors, never dictionaries of tensors, and an optimiser step is a few
operations on one long array.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from trainers.checkpoints import save_arrays


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

    def named(self) -> dict[str, Tensor]:
        """The parameters by name, as views; shared ones once."""
        return {name: p.detach() for name, p in self.module.named_parameters()}

    def save(self, path: Path, metadata: Mapping[str, str] | None = None) -> None:
        """Write the parameters as safetensors, atomically."""
        arrays = {name: tensor.cpu().numpy() for name, tensor in self.named().items()}
        save_arrays(path, arrays, metadata)

    def load(self, path: Path) -> None:
        """Read what :meth:`save` wrote.

        Raises:
            ValueError: The file holds other parameters, or other shapes.
        """
        saved = load_file(path)
        own = self.named()
        differing = sorted(set(own) ^ set(saved)) or sorted(
            name for name in own if own[name].shape != saved[name].shape
        )
        if differing:
            raise ValueError(f"{path} and the model differ in parameters {differing[:5]}")
        for name, tensor in own.items():
            tensor.copy_(saved[name])

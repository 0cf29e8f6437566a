"""The encoder whose word vectors aligners and mappings compare."""

from pathlib import Path
from typing import TYPE_CHECKING

from projection.aligners import EmbedWords

if TYPE_CHECKING:
    import torch


def load_word_encoder(
    encoder: str, layer: int, *, threads: int, device: "torch.device | None" = None
) -> EmbedWords:
    """The first ``layer`` layers of a backbone, as something that embeds words.

    Args:
        encoder: As ``backbone`` of a study.
        layer: After which vectors are read.
        threads: Of the CPU; sums depend on them.
        device: None for the GPU where there is one.

    Raises:
        InputError: The encoder cannot be had, or has fewer layers.
    """
    import torch

    from trainers.backbones import resolve_checkpoint
    from trainers.word_vectors import WordEncoder

    torch.set_num_threads(threads)
    usual = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    checkpoint: Path = resolve_checkpoint(encoder)
    return WordEncoder(checkpoint, layer, device or usual)

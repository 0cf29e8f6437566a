"""Lossless vocabulary trimming (DESIGN §9).

A study's data uses a tenth of the pieces that a multilingual encoder knows. Rows of the others get
no gradient, so neither Adam nor SGD ever moves them (there is no weight decay): training on the
used rows alone gives the same weights.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def kept_pieces(
    used: Iterable[NDArray[np.int32]], tokenizer: "PreTrainedTokenizerBase"
) -> NDArray[np.int32]:
    """Ids of the pieces to keep, ascending: those used, the special ones, all up to padding.

    Padding keeps its id because XLM-R counts positions from it.
    """
    always = set(tokenizer.all_special_ids)
    if tokenizer.pad_token_id is not None:
        always.update(range(int(tokenizer.pad_token_id) + 1))
    ids = [np.unique(piece_ids) for piece_ids in used]
    return np.unique(np.concatenate([*ids, np.array(sorted(always), dtype=np.int32)]))


def renumber(piece_ids: NDArray[np.int32], kept: NDArray[np.int32]) -> NDArray[np.int32]:
    """``piece_ids`` as row numbers of the trimmed embedding.

    Raises:
        ValueError: A piece is not among the kept ones.
    """
    rows = np.searchsorted(kept, piece_ids)
    if piece_ids.size and not np.array_equal(kept[np.minimum(rows, len(kept) - 1)], piece_ids):
        raise ValueError("a piece is used that was not kept; encode all corpora before trimming")
    return rows.astype(np.int32)


def trim_encoder(encoder: "PreTrainedModel", kept: NDArray[np.int32]) -> None:
    """Cut the word embedding of ``encoder`` to the rows ``kept``, in place; config included."""
    import torch

    old = encoder.get_input_embeddings()
    assert isinstance(old, torch.nn.Embedding)
    trimmed = torch.nn.Embedding(len(kept), old.embedding_dim, padding_idx=old.padding_idx)
    rows = torch.from_numpy(kept.astype(np.int64))
    trimmed.weight = torch.nn.Parameter(old.weight.detach()[rows].clone())
    encoder.set_input_embeddings(trimmed)
    encoder.config.vocab_size = len(kept)


def restore_embedding(trimmed: "Tensor", full: "Tensor", kept: NDArray[np.int32]) -> "Tensor":
    """The full word embedding: rows ``kept`` as trained, the others as they were.

    Args:
        trimmed: ``(len(kept), H)``, after training.
        full: ``(V, H)``, before training.
        kept: Ids of the trimmed rows.
    """
    import torch

    restored = full.clone()
    restored[torch.from_numpy(kept.astype(np.int64))] = trimmed
    return restored

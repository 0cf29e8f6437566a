"""Some sentences of an encoded corpus as one padded batch of tensors.

Shape letters: B sentences of a batch, P pieces (padded), N words of the batch that the encoder
reads, over all its sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from trainers.batches import parts_of_similar_length
from trainers.encoding import EncodedCorpus, part

PIECES_PER_PART = 24
"""On a CPU, a pass through six layers takes about as long as so many more pieces would."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some sentences, padded.

    Args:
        piece_ids_BP: Piece ids.
        piece_mask_BP: 1 for a piece, 0 for padding.
        first_N: Index into the flattened ``(B * P)`` pieces of every word's first piece.
        tags_N: Tag id of every word.
        weights_N: What every word counts in the loss (Eq. 3): one over the words of its sentence
            times the sentences of the batch, of which this may be a part.
        pos_N: Id of the POS tag of every word, or None.
        predicate_N: 1.0 for the predicates, 0.0 for all other words, or None.
    """

    piece_ids_BP: torch.Tensor
    piece_mask_BP: torch.Tensor
    first_N: torch.Tensor
    tags_N: torch.Tensor
    weights_N: torch.Tensor
    pos_N: torch.Tensor | None = None
    predicate_N: torch.Tensor | None = None


def collate_parts(
    corpus: EncodedCorpus, which: NDArray[np.int64], padding: int, device: torch.device
) -> list[Batch]:
    """A batch of training in parts of similar length, whose losses add up to that of the batch.

    A GPU has it in one part: there padding costs less than another pass.
    """
    if device.type != "cpu":
        return [collate(corpus, which, padding, device)]
    parts = parts_of_similar_length(corpus.lengths[which], PIECES_PER_PART)
    return [collate(corpus, which[one], padding, device, of=len(which)) for one in parts]


def collate(
    corpus: EncodedCorpus,
    which: NDArray[np.int64],
    padding: int,
    device: torch.device,
    of: int | None = None,
) -> Batch:
    """The sentences ``which`` of ``corpus`` as one padded batch on ``device``.

    Args:
        corpus: Encoded.
        which: Numbers of sentences, ``(B,)``.
        padding: Piece id to pad with.
        device: Where the tensors are to be.
        of: Sentences of the batch that these are a part of; None if they are all of it.
    """
    lengths = corpus.lengths[which]
    piece_ids_BP = np.full((len(which), int(lengths.max())), padding, dtype=np.int64)
    firsts, tags, weights = [], [], []
    for b, k in enumerate(which):
        piece_ids_BP[b, : lengths[b]] = part(corpus.pieces, corpus.piece_ends, k)
        first = corpus.firsts_of(k)
        firsts.append(first + b * piece_ids_BP.shape[1])
        tags.append(corpus.tags_of(k)[: len(first)])
        weights.append(np.full(len(first), 1.0 / (max(len(first), 1) * (of or len(which)))))
    mask_BP = np.arange(piece_ids_BP.shape[1]) < lengths[:, None]
    return Batch(
        torch.from_numpy(piece_ids_BP).to(device),
        torch.from_numpy(mask_BP.astype(np.int64)).to(device),
        torch.from_numpy(np.concatenate(firsts).astype(np.int64)).to(device),
        torch.from_numpy(np.concatenate(tags).astype(np.int64)).to(device),
        torch.from_numpy(np.concatenate(weights).astype(np.float32)).to(device),
        *_beside_words(corpus, which, [len(first) for first in firsts], device),
    )


def _beside_words(
    corpus: EncodedCorpus, which: NDArray[np.int64], read: Sequence[int], device: torch.device
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """``pos_N`` and ``predicate_N``; ``read`` says how many words of each sentence are read."""
    pos_N = predicate_N = None
    if corpus.pos is not None:
        parts = [part(corpus.pos, corpus.tag_ends, k)[:n] for k, n in zip(which, read, strict=True)]
        pos_N = torch.from_numpy(np.concatenate(parts).astype(np.int64)).to(device)
    if corpus.predicate is not None:
        of_sentence = zip(corpus.predicate[which], read, strict=True)
        flags = np.concatenate([np.arange(n) == predicate for predicate, n in of_sentence])
        predicate_N = torch.from_numpy(flags.astype(np.float32)).to(device)
    return pos_N, predicate_N

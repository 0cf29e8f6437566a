"""Vectors of words, for aligners: what an encoder says of each word after one of its layers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from projection.records import Sentence
from trainers.backbones import BackboneSettings, load_encoder, load_tokenizer, num_positions
from trainers.collation import collate
from trainers.encoding import EncodedCorpus, encode_corpus

PIECES_AT_ONCE = 4096
"""Pieces of a batch, padding included."""
MAX_PIECES = 256
"""Of a sentence; nearly all are shorter."""


class WordEncoder:
    """Embeds words as the mean of their pieces' states after a layer, at unit length.

    Args:
        checkpoint: Folder of the encoder.
        layer: How many of its layers are used.
        device: Where to run it.
        max_pieces: Of a sentence, or as many as the encoder reads if that is less; the words
            beyond have no vector.

    Raises:
        InputError: The encoder has fewer layers.
    """

    def __init__(
        self, checkpoint: Path, layer: int, device: torch.device, max_pieces: int = MAX_PIECES
    ) -> None:
        settings = BackboneSettings(
            name=str(checkpoint), num_layers=layer, max_pieces=4, dropout=0.0
        )
        self._encoder = load_encoder(checkpoint, settings).eval().to(device)
        self._max_pieces = min(max_pieces, num_positions(self._encoder))
        self._tokenizer = load_tokenizer(checkpoint)
        self._device = device
        self._padding = int(self._encoder.config.pad_token_id or 0)

    def __call__(self, sentences: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
        """Vectors of every sentence, ``(words, H)``; zeros for the words beyond ``max_pieces``."""
        if not sentences:
            return []
        texts = [Sentence("", "und", tuple(words)) for words in sentences]
        corpus = encode_corpus(texts, self._tokenizer, None, max_pieces=self._max_pieces)
        vectors = [np.zeros((len(words), self._width), np.float32) for words in sentences]
        special = self._tokenizer.num_special_tokens_to_add()
        for which in _batches(corpus.lengths):
            for k, states_PH in zip(which, self._states(corpus, which), strict=True):
                firsts = corpus.firsts_of(int(k))
                if len(firsts):
                    end = corpus.lengths[k] - (special - firsts[0])
                    vectors[k][: len(firsts)] = _pooled(states_PH[:end], firsts)
        return vectors

    @property
    def _width(self) -> int:
        return int(self._encoder.config.hidden_size)

    @torch.inference_mode()
    def _states(self, corpus: EncodedCorpus, which: NDArray[np.int64]) -> NDArray[np.float32]:
        """Output of the last layer, ``(B, P, H)``."""
        batch = collate(corpus, which, self._padding, self._device)
        states_BPH = self._encoder(
            input_ids=batch.piece_ids_BP, attention_mask=batch.piece_mask_BP
        ).last_hidden_state
        found: NDArray[np.float32] = states_BPH.float().cpu().numpy()
        return found


def _pooled(states_PH: NDArray[np.float32], firsts: NDArray[np.int32]) -> NDArray[np.float32]:
    """The mean over each word's pieces, at unit length, ``(words, H)``."""
    sums = np.add.reduceat(states_PH, firsts, axis=0)
    # The mean points where the sum points.
    pooled: NDArray[np.float32] = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return pooled


def _batches(lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Sentences of similar lengths together, each batch within ``PIECES_AT_ONCE``."""
    order = np.argsort(lengths, kind="stable")
    batches, start = [], 0
    for stop in range(1, len(order) + 1):
        if stop == len(order) or (stop + 1 - start) * lengths[order[stop]] > PIECES_AT_ONCE:
            batches.append(order[start:stop])
            start = stop
    return batches

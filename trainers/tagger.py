"""The tagger: a multilingual encoder and one linear layer over first pieces (paper §2.1, Eq. 1).

Shape letters: B sentences of a batch, P pieces (padded), N words of the batch, H encoder width,
L tags.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from trainers.backbones import BackboneSettings, load_encoder
from trainers.encoding import Batch
from trainers.seeding import stream_seed

if TYPE_CHECKING:
    from transformers import PreTrainedModel

HEAD_STD = 0.02
"""Standard deviation of the output layer's first weights, BERT's own."""


class Tagger(nn.Module):
    """Scores of every tag for every word, read at the word's first piece."""

    def __init__(self, encoder: "PreTrainedModel", num_tags: int, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(encoder.config.hidden_size, num_tags)

    @property
    def padding(self) -> int:
        """Piece id to pad with."""
        return int(self.encoder.config.pad_token_id or 0)

    @property
    def word_embedding(self) -> nn.Embedding:
        """The encoder's word embedding, ``(V, H)``."""
        embedding = self.encoder.get_input_embeddings()
        assert isinstance(embedding, nn.Embedding)
        return embedding

    def forward(self, batch: Batch) -> Tensor:
        """Tag scores before the softmax, ``(N, L)``."""
        states_BPH = self.encoder(
            input_ids=batch.piece_ids_BP, attention_mask=batch.piece_mask_BP
        ).last_hidden_state
        states_NH = states_BPH.flatten(0, 1)[batch.first_N]
        scores_NL: Tensor = self.output(self.dropout(states_NH))
        return scores_NL

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy, mean over the words of a sentence, then over sentences (Eq. 3)."""
        losses_N = nn.functional.cross_entropy(self(batch), batch.tags_N, reduction="none")
        return losses_N @ batch.weights_N


def build_tagger(
    folder: Path,
    settings: BackboneSettings,
    num_tags: int,
    *,
    seed: int,
    device: torch.device | None = None,
) -> Tagger:
    """A tagger on the checkpoint in ``folder``; its output layer is drawn from ``seed`` alone."""
    tagger = Tagger(load_encoder(folder, settings), num_tags, settings.dropout)
    draw = torch.Generator().manual_seed(stream_seed(seed, "output layer"))
    with torch.no_grad():
        tagger.output.weight.normal_(0.0, HEAD_STD, generator=draw)
        tagger.output.bias.zero_()
    return tagger.to(device or torch.device("cpu"))

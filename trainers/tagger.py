"""The tagger: a multilingual encoder and one linear layer over first pieces (paper §2.1, Eq. 1).

Where the task has more inputs than words (paper, A.2), they enter at two places. The predicate's
embedding is added to the encoder's input at the predicate's first piece: a linear layer after the
encoder could not tell the other words which predicate they may be arguments of. The embedding of a
word's POS tag stands beside the word's state before the output layer.

Shape letters: B sentences of a batch, P pieces (padded), N words of the batch, H encoder width,
E width of the encoder's word embedding, L tags.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from projection.inputs import UPOS, Input
from trainers.backbones import BackboneSettings, load_encoder
from trainers.collation import Batch
from trainers.seeding import stream_seed
from trainers.settings import LossMean, TaggerSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

EMBEDDING_STD = 0.02
"""Standard deviation of the first weights of embeddings that no checkpoint gives, BERT's own."""


class Tagger(nn.Module):
    """Scores of every tag for every word, read at the word's first piece.

    Args:
        encoder: With its final weights.
        num_tags: L.
        dropout: Before the output layer.
        pos_size: Width of the POS embedding; 0 for a task without POS tags.
        predicate_size: E for a task with predicates; 0 for one without.
        loss_mean: Over what the loss is averaged.
    """

    def __init__(
        self,
        encoder: "PreTrainedModel",
        num_tags: int,
        dropout: float,
        *,
        pos_size: int = 0,
        predicate_size: int = 0,
        loss_mean: LossMean = LossMean.SENTENCES,
    ) -> None:
        super().__init__()
        self.loss_mean = loss_mean
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(encoder.config.hidden_size + pos_size, num_tags)
        self.pos = nn.Embedding(len(UPOS), pos_size) if pos_size else None
        self.predicate = nn.Parameter(torch.zeros(predicate_size)) if predicate_size else None

    @property
    def padding(self) -> int:
        """Piece id to pad with."""
        return int(self.encoder.config.pad_token_id or 0)

    @property
    def num_tags(self) -> int:
        """L."""
        return self.output.out_features

    @property
    def word_embedding(self) -> nn.Embedding:
        """The encoder's word embedding, ``(V, H)``."""
        embedding = self.encoder.get_input_embeddings()
        assert isinstance(embedding, nn.Embedding)
        return embedding

    def forward(self, batch: Batch) -> Tensor:
        """Tag scores before the softmax, ``(N, L)``."""
        states_BPH = self.encoder(
            attention_mask=batch.piece_mask_BP, **self._encoder_input(batch)
        ).last_hidden_state
        states_NH = states_BPH.flatten(0, 1)[batch.first_N]
        if self.pos is not None:
            states_NH = torch.cat([states_NH, self.pos(batch.pos_N)], dim=1)
        scores_NL: Tensor = self.output(self.dropout(states_NH))
        return scores_NL

    def _encoder_input(self, batch: Batch) -> dict[str, Tensor]:
        if self.predicate is None:
            return {"input_ids": batch.piece_ids_BP}
        assert batch.predicate_N is not None, "the corpus was encoded without its predicates"
        flags_BP = torch.zeros_like(batch.piece_ids_BP, dtype=torch.float32)
        flags_BP.view(-1)[batch.first_N] = batch.predicate_N
        embedded_BPE = self.word_embedding(batch.piece_ids_BP)
        return {"inputs_embeds": embedded_BPE + flags_BP.unsqueeze(-1) * self.predicate}

    def loss(self, batch: Batch, of: int | None = None) -> Tensor:
        """Cross-entropy, averaged as ``loss_mean`` says.

        Args:
            batch: Or a part of one.
            of: Words of the whole batch; None if this is all of it.
        """
        losses_N = nn.functional.cross_entropy(self(batch), batch.tags_N, reduction="none")
        if self.loss_mean is LossMean.WORDS:
            return losses_N.sum() / (of or len(losses_N))
        return losses_N @ batch.weights_N

    def backward(self, parts: Sequence[Batch]) -> float:
        """Add the gradient of a batch to the parameters'; its loss.

        Args:
            parts: Of the batch, one after the other.
        """
        value = 0.0
        words = sum(len(part.tags_N) for part in parts)
        for part in parts:
            loss = self.loss(part, words)
            loss.backward()
            value += loss.item()
        return value


def build_tagger(
    folder: Path,
    settings: BackboneSettings,
    num_tags: int,
    *,
    seed: int,
    inputs: Sequence[Input] = (),
    beside: TaggerSettings | None = None,
    device: torch.device | None = None,
) -> Tagger:
    """A tagger on the checkpoint in ``folder``; all other weights are drawn from ``seed`` alone.

    Args:
        folder: Of the encoder's checkpoint.
        settings: How much of it, and dropout.
        num_tags: L.
        seed: Of the run.
        inputs: What the task has beside the words.
        beside: What the tagger has beside its encoder; the defaults if None.
        device: Where it is to be; the processor if None.
    """
    encoder = load_encoder(folder, settings)
    own = beside or TaggerSettings()
    tagger = Tagger(
        encoder,
        num_tags,
        settings.dropout,
        pos_size=own.pos_size if Input.POS in inputs else 0,
        predicate_size=_embedding_width(encoder) if Input.PREDICATE in inputs else 0,
        loss_mean=own.loss,
    )
    _draw_weights(tagger, seed)
    return tagger.to(device or torch.device("cpu"))


def _embedding_width(encoder: "PreTrainedModel") -> int:
    embedding = encoder.get_input_embeddings()
    assert isinstance(embedding, nn.Embedding)
    return embedding.embedding_dim


@torch.no_grad()
def _draw_weights(tagger: Tagger, seed: int) -> None:
    """Draw what no checkpoint gives, each part from a stream of its own.

    The output layer as ``nn.Linear`` does, by its width: with BERT's 0.02 a narrow encoder learns
    more slowly, which cost points of F1 after 800 steps (``docs/LOG.md``).
    """

    def stream(purpose: str) -> torch.Generator:
        return torch.Generator().manual_seed(stream_seed(seed, purpose))

    bound = tagger.output.in_features**-0.5
    tagger.output.weight.uniform_(-bound, bound, generator=stream("output layer"))
    tagger.output.bias.zero_()
    if tagger.pos is not None:
        tagger.pos.weight.normal_(0.0, EMBEDDING_STD, generator=stream("POS embedding"))
    if tagger.predicate is not None:
        tagger.predicate.normal_(0.0, EMBEDDING_STD, generator=stream("predicate embedding"))

"""The tagger as a model of transformers, for what ``...ForTokenClassification`` has no place for:
POS tags and predicates (paper, A.2), and encoders whose own class has another head.

This module goes into exported models, so it imports nothing of xlwarm. It computes what
``trainers.tagger.Tagger`` computes, for all pieces instead of words.

Shape letters: B sentences of a batch, P pieces (padded), H encoder width, L tags.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import TokenClassifierOutput


class InputTaggerConfig(PreTrainedConfig):
    """An encoder's configuration and the sizes of what the tagger has beside it.

    Args:
        encoder: Configuration of the encoder, ``model_type`` included.
        encoder_args: What its class is built with, such as ``add_pooling_layer``.
        pos_tags: Parts of speech; 0 for a task without.
        pos_size: Width of their embedding.
        predicate_size: Width of the encoder's word embedding; 0 for a task without predicates.
        kwargs: Of any configuration.
    """

    model_type = "xlwarm-input-tagger"
    has_no_defaults_at_init = True

    def __init__(
        self,
        encoder: dict[str, Any] | None = None,
        encoder_args: dict[str, Any] | None = None,
        pos_tags: int = 0,
        pos_size: int = 0,
        predicate_size: int = 0,
        **kwargs: Any,
    ) -> None:
        self.encoder = encoder or {}
        self.encoder_args = encoder_args or {}
        self.pos_tags = pos_tags
        self.pos_size = pos_size
        self.predicate_size = predicate_size
        super().__init__(**kwargs)


class InputTagger(PreTrainedModel):
    """Scores of every tag for every piece; those of a word are its first piece's."""

    config_class = InputTaggerConfig
    base_model_prefix = "encoder"

    def __init__(self, config: InputTaggerConfig) -> None:
        super().__init__(config)
        encoder = AutoConfig.for_model(**config.encoder)
        self.encoder = AutoModel.from_config(encoder, **config.encoder_args)
        width = encoder.hidden_size + config.pos_size
        self.output = nn.Linear(width, len(config.id2label or ()))
        self.pos = nn.Embedding(config.pos_tags, config.pos_size) if config.pos_size else None
        size = config.predicate_size
        self.predicate = nn.Parameter(torch.zeros(size)) if size else None
        self.post_init()  # type: ignore[no-untyped-call]

    def get_input_embeddings(self) -> nn.Module:
        """The encoder's word embedding."""
        embedding: nn.Module = self.encoder.get_input_embeddings()
        return embedding

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        pos_ids: Tensor | None = None,
        predicate_mask: Tensor | None = None,
        **_: Any,
    ) -> TokenClassifierOutput:
        """Tag scores before the softmax, ``logits`` of ``(B, P, L)``.

        Args:
            input_ids: ``(B, P)``.
            attention_mask: ``(B, P)``, 1 for a piece, 0 for padding.
            pos_ids: ``(B, P)``, the part of speech of the word that begins here; -1 elsewhere.
            predicate_mask: ``(B, P)``, 1.0 at the predicate's first piece, 0.0 elsewhere.
        """
        read = {"input_ids": input_ids}
        if self.predicate is not None:
            if predicate_mask is None:
                raise ValueError("this model needs predicate_mask")
            embedded_BPE = self.get_input_embeddings()(input_ids)
            flags_BP1 = predicate_mask.unsqueeze(-1).to(embedded_BPE.dtype)
            read = {"inputs_embeds": embedded_BPE + flags_BP1 * self.predicate}
        states_BPH = self.encoder(attention_mask=attention_mask, **read).last_hidden_state
        if self.pos is not None:
            if pos_ids is None:
                raise ValueError("this model needs pos_ids")
            states_BPH = torch.cat([states_BPH, self.pos(pos_ids.clamp(min=0))], dim=-1)
        return TokenClassifierOutput(logits=self.output(states_BPH))

"""A trained tagger as an ordinary model folder of transformers, which needs no xlwarm to be used.

The vocabulary is the backbone's own again. Where the family's ``...ForTokenClassification`` is the
encoder and a linear layer, the model is of that class. How words are read and spans are made of
tags comes along as code: the very modules that xlwarm tags with.
"""

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from projection.inputs import UPOS, Input
from trainers.backbones import BackboneSettings, load_encoder, load_tokenizer, quiet_transformers
from trainers.decoding import Decoding
from trainers.encoding import TagVocabulary
from trainers.vocabulary import restore_embedding

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PIPELINE = "trainers.span_pipeline"
MODEL = "trainers.input_tagger"
CODE = (
    "projection.errors",
    "projection.inputs",
    "projection.records",
    "projection.schemes",
    "projection.passages",
    "trainers.decoding",
    "trainers.reading",
    "trainers.span_tagger",
    PIPELINE,
)
"""Modules that go along; with :data:`MODEL` where the model is of a class of its own."""

_IMPORT = re.compile(r"^from (?:projection|trainers)\.(\w+) import", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TrainedTagger:
    """Where the parts of a trained tagger are.

    Args:
        weights: What ``trainers.checkpoints.save_weights`` wrote of a ``Tagger``.
        kept: Ids of the pieces that the tagger was trained with, ``(V,)``.
        checkpoint: Folder of the whole backbone.
        backbone: How much of it was trained.
        tags: That are predicted.
        inputs: What the tagger is given beside the words.
        decoding: How its tags are chosen.
    """

    weights: Path
    kept: "NDArray[np.int32]"
    checkpoint: Path
    backbone: BackboneSettings
    tags: TagVocabulary
    inputs: tuple[Input, ...]
    decoding: Decoding = Decoding.ARGMAX


def portable_model(trained: TrainedTagger) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """The model with its full vocabulary, ready to tag or to be saved, and its tokenizer."""
    import torch
    from safetensors.torch import load_file

    saved = load_file(trained.weights)
    encoder = load_encoder(trained.checkpoint, trained.backbone)
    own = dict(encoder.named_parameters())
    table = next(n for n, w in own.items() if w is encoder.get_input_embeddings().weight)
    with torch.no_grad():
        for name, weights in own.items():
            new = saved.pop(f"encoder.{name}")
            if name == table:
                new = restore_embedding(new, weights, trained.kept)
            weights.copy_(new)
    model = _linear_head(encoder, saved, trained) or _own_class(encoder, saved, trained)
    tokenizer = load_tokenizer(trained.checkpoint)
    tokenizer.model_max_length = trained.backbone.max_pieces
    return model.eval(), tokenizer


def _description(trained: TrainedTagger) -> dict[str, Any]:
    """What every exported configuration says of the tags."""
    tags = trained.tags.tags
    return {
        "id2label": dict(enumerate(tags)),
        "label2id": {tag: k for k, tag in enumerate(tags)},
        "span_tagging": {
            "scheme": str(trained.tags.scheme),
            "inputs": [str(one) for one in trained.inputs],
            "decoding": str(trained.decoding),
            "max_pieces": trained.backbone.max_pieces,
        },
        "custom_pipelines": {
            "token-classification": {
                "impl": f"{_file(PIPELINE)}.SpanPipeline",
                "pt": ["AutoModelForTokenClassification"],
            }
        },
    }


def _linear_head(
    encoder: "PreTrainedModel", saved: "Mapping[str, Tensor]", trained: TrainedTagger
) -> "PreTrainedModel | None":
    """The family's own class if all it adds to the encoder is the linear layer that was trained."""
    from transformers import MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING, AutoModelForTokenClassification

    config = type(encoder.config)(**encoder.config.to_dict() | _description(trained))
    if type(config) not in MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING or trained.inputs:
        return None
    model: PreTrainedModel = AutoModelForTokenClassification.from_config(config)
    prefix = model.base_model_prefix
    weights = {f"{prefix}.{name}": value.detach() for name, value in encoder.named_parameters()}
    weights |= {name.replace("output.", "classifier."): value for name, value in saved.items()}
    own = dict(model.named_parameters())
    if {n: w.shape for n, w in own.items()} != {n: w.shape for n, w in weights.items()}:
        return None
    model.load_state_dict(weights, strict=False)
    return model


def _own_class(
    encoder: "PreTrainedModel", saved: "Mapping[str, Tensor]", trained: TrainedTagger
) -> "PreTrainedModel":
    from trainers.backbones import without_pooling
    from trainers.input_tagger import InputTagger, InputTaggerConfig

    pos, predicate = saved.get("pos.weight"), saved.get("predicate")
    config = InputTaggerConfig(
        encoder=encoder.config.to_dict(),
        encoder_args=without_pooling(encoder.config),
        pos_tags=len(UPOS) if pos is not None else 0,
        pos_size=pos.shape[1] if pos is not None else 0,
        predicate_size=len(predicate) if predicate is not None else 0,
        pad_token_id=encoder.config.pad_token_id,
        **_description(trained),
        auto_map={
            "AutoConfig": f"{_file(MODEL)}.InputTaggerConfig",
            "AutoModelForTokenClassification": f"{_file(MODEL)}.InputTagger",
        },
    )
    model = InputTagger(config)
    model.encoder.load_state_dict(encoder.state_dict())
    missing = model.load_state_dict(saved, strict=False)
    assert not missing.unexpected_keys, missing
    return model


def save_portable(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", folder: Path
) -> None:
    """Write the model, its tokenizer and the code that reads words and spans."""
    with quiet_transformers():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    own_class = hasattr(model.config, "auto_map")
    for module in (*CODE, MODEL) if own_class else CODE:
        (folder / f"{_file(module)}.py").write_text(_standalone(module), encoding="utf-8")


def load_portable(folder: Path) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """What :func:`save_portable` wrote, in float32; no code of the folder is run."""
    import torch
    from transformers import AutoModelForTokenClassification, PreTrainedConfig

    from trainers.input_tagger import InputTagger, InputTaggerConfig

    with quiet_transformers():
        content, _ = PreTrainedConfig.get_config_dict(folder)
        own_class = content["model_type"] == InputTaggerConfig.model_type
        family: Any = InputTagger if own_class else AutoModelForTokenClassification
        model = family.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
    return model.eval(), load_tokenizer(folder)


def _file(module: str) -> str:
    return module.rpartition(".")[2]


def _standalone(module: str) -> str:
    """Source of ``module`` with those of its imports that go along turned into relative ones."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return _IMPORT.sub(r"from .\1 import", Path(spec.origin).read_text(encoding="utf-8"))

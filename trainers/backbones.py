"""Pre-trained multilingual encoders: find the checkpoint, load it, keep only some layers."""

import hashlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from projection.errors import InputError
from trainers.bundled import BUNDLED, bundled_checkpoint

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BUNDLED_PREFIX = "bundled:"
_CHECKPOINT_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.spm")


class BackboneSettings(BaseModel, frozen=True, extra="forbid"):
    """Which encoder, and how much of it."""

    name: str = Field(min_length=1)
    """A Hugging Face id, a local folder, or ``bundled:multilingual-e5-small``."""
    num_layers: int | None = Field(default=None, ge=1)
    """Keep the first so many layers; None for all."""
    max_pieces: int = Field(default=128, ge=4)
    """Longer inputs are cut at a word boundary; the words lost are reported and scored as O."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """In the encoder and before the tagger's output layer."""


def resolve_checkpoint(name: str) -> Path:
    """The local folder that holds the checkpoint ``name``, fetched or converted if need be.

    Raises:
        InputError: Neither bundled, nor a folder, nor to be had from the hub.
    """
    if name.startswith(BUNDLED_PREFIX):
        bundled = name.removeprefix(BUNDLED_PREFIX)
        if bundled not in BUNDLED:
            known = ", ".join(BUNDLED_PREFIX + known for known in BUNDLED)
            raise InputError(f"unknown backbone {name!r}; bundled ones are: {known}")
        try:
            return bundled_checkpoint(bundled)
        except (ValueError, ModuleNotFoundError) as error:
            raise InputError(f"backbone {name!r}: {error}") from None
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise InputError(f"backbone {name!r} is a folder without config.json")
        return folder
    return _from_hub(name)


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=list(_CHECKPOINT_FILES)))
    except Exception as error:
        raise InputError(
            f"unknown backbone {name!r}: not a local folder, and the Hugging Face hub does not "
            f"give it ({type(error).__name__}). Check the spelling and the network, or use "
            f"{BUNDLED_PREFIX}{next(iter(BUNDLED))}, which needs no hub"
        ) from None


def checkpoint_hash(folder: Path) -> str:
    """SHA-256 over the files that decide what the encoder computes: weights, config, tokenizer."""
    digest = hashlib.sha256()
    for path in checkpoint_files(folder):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.name} {content}\n".encode())
    return digest.hexdigest()


def checkpoint_files(folder: Path) -> list[Path]:
    """The files of a checkpoint that decide what its encoder computes, in a fixed order."""
    return [path for pattern in _CHECKPOINT_FILES for path in sorted(folder.glob(pattern))]


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """The fast tokenizer of a checkpoint.

    Raises:
        InputError: The checkpoint has none; word boundaries cannot be kept without it.
    """
    from transformers import AutoTokenizer

    with quiet_transformers():
        tokenizer = AutoTokenizer.from_pretrained(folder)
    if not tokenizer.is_fast:
        raise InputError(f"{folder}: has no fast tokenizer (tokenizer.json)")
    return tokenizer


def load_encoder(folder: Path, settings: BackboneSettings) -> "PreTrainedModel":
    """The encoder in float32, without pooling layer, cut to ``settings.num_layers``.

    Raises:
        InputError: It has fewer layers than asked for, fewer positions than ``max_pieces``, or no
            dropout that could be set.
    """
    import torch
    from transformers import AutoConfig, AutoModel

    with quiet_transformers():
        config = AutoConfig.from_pretrained(folder)
        _keep_layers(config, settings, folder)
        _set_dropout(config, settings.dropout, folder)
        model: PreTrainedModel = AutoModel.from_pretrained(
            folder, config=config, dtype=torch.float32, **without_pooling(config)
        )
    _check_positions(model, settings, folder)
    return model


def _keep_layers(config: Any, settings: BackboneSettings, folder: Path) -> None:
    available = config.num_hidden_layers
    if settings.num_layers is None:
        return
    if settings.num_layers > available:
        raise InputError(
            f"backbone.num_layers is {settings.num_layers}, but {folder.name} has {available}"
        )
    config.num_hidden_layers = settings.num_layers


_DROPOUTS = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "dropout",
    "attention_dropout",
    "embedding_dropout",
    "mlp_dropout",
)
"""What the families of encoders call their dropout."""


def _set_dropout(config: Any, dropout: float, folder: Path) -> None:
    names = [name for name in _DROPOUTS if hasattr(config, name)]
    if not names:
        raise InputError(f"backbone.dropout cannot be set: {folder.name} calls it by no known name")
    for name in names:
        setattr(config, name, dropout)


def without_pooling(config: Any) -> dict[str, bool]:
    """The argument that leaves the pooling layer out, for the families that have one."""
    from transformers import MODEL_MAPPING

    family: Any = MODEL_MAPPING[type(config)]
    known = inspect.signature(family).parameters
    return {"add_pooling_layer": False} if "add_pooling_layer" in known else {}


def num_positions(encoder: "PreTrainedModel") -> int:
    """Pieces of the longest input that ``encoder`` reads."""
    positions = int(encoder.config.max_position_embeddings)
    table: Any = getattr(getattr(encoder, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    # RoBERTa's family counts from the position after padding.
    return positions if padding is None else positions - (padding + 1)


def _check_positions(model: "PreTrainedModel", settings: BackboneSettings, folder: Path) -> None:
    positions = num_positions(model)
    if settings.max_pieces > positions:
        raise InputError(
            f"backbone.max_pieces is {settings.max_pieces}, but {folder.name} has only "
            f"{positions} positions"
        )


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep loading reports and progress bars of transformers off the terminal."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()

"""Writing a trained model as a folder that transformers reads without xlwarm."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from orchestrator.model_card import model_card
from orchestrator.trained import TrainedModel
from projection.errors import InputError

if TYPE_CHECKING:
    from trainers.span_tagger import SpanTagger

CARD = "README.md"


def export_model(model: TrainedModel, to: Path) -> None:
    """Write the folder ``to``, whole or not at all; one that was exported before is replaced.

    Raises:
        InputError: There is something else at ``to``, or the model's backbone cannot be had.
    """
    from trainers.portable import portable_model, save_portable

    check_folder(to)
    parts = model.parts()
    tagger, tokenizer = portable_model(parts)
    unfinished = to.with_name(f".{to.name}.{uuid4().hex}")
    unfinished.mkdir()
    try:
        save_portable(tagger, tokenizer, unfinished)
        card = model_card(model, type(tagger).__name__, parts.checkpoint, to)
        (unfinished / CARD).write_text(card, encoding="utf-8")
        shutil.rmtree(to, ignore_errors=True)
        unfinished.rename(to)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def check_folder(to: Path) -> None:
    """Refuse, before any work is done, a place that holds something else.

    Raises:
        InputError: A file, a folder with other content, or one in a folder that is not there.
    """
    if not to.absolute().parent.is_dir():
        raise InputError(f"{to}: no such folder: {to.absolute().parent}; make it first")
    exported = is_exported(to) or (to.is_dir() and not any(to.iterdir()))
    if to.exists() and not exported:
        raise InputError(f"{to}: holds something else; name a new folder")


def is_exported(folder: Path) -> bool:
    """True for a folder that :func:`export_model` wrote."""
    config = folder / "config.json"
    return config.is_file() and '"span_tagging"' in config.read_text(encoding="utf-8")


def load_exported(folder: Path) -> "SpanTagger":
    """The tagger in an exported folder, run by this xlwarm's own code.

    Raises:
        InputError: It was not written by ``xlwarm export``.
    """
    from trainers.portable import load_portable
    from trainers.span_tagger import SpanTagger

    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; a run of a study needs --study")
    if not is_exported(folder):
        raise InputError(f"{folder}: is no model that `xlwarm export` wrote (config.json)")
    return SpanTagger(*load_portable(folder))


def load_trained(model: TrainedModel) -> "SpanTagger":
    """The tagger that an export of ``model`` would hold."""
    from trainers.portable import portable_model
    from trainers.span_tagger import SpanTagger

    return SpanTagger(*portable_model(model.parts()))

"""A study's input files in the store, so that nodes which do not have them can compute its steps.

Data files lie in ``<store>/files/<SHA-256>/<name>``, a checkpoint that is a local folder in
``<store>/checkpoints/<hash>/``. The driver puts them there before a study runs on a cluster; a step
reads them from there if they are not where the study says, or are not what they were.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from orchestrator.fingerprints import file_hash
from orchestrator.steps.base import Step
from orchestrator.steps.encode import EncodeStep
from orchestrator.steps.project import ProjectStep
from orchestrator.steps.sources import CHECKPOINTS, FILES, InputFile
from orchestrator.store import StepStore
from projection.errors import InputError
from trainers.backbones import checkpoint_files, resolve_checkpoint


def keep_inputs(steps: Iterable[Step], store: StepStore) -> None:
    """Copy what ``steps`` read into ``store``, unless it is there.

    Raises:
        InputError: A file has changed since the study was read.
    """
    steps = list(steps)
    for file in sorted(set(_files_in(steps)), key=lambda file: str(file.path)):
        _keep_file(file, store.root / FILES / file.content)
    for name, content in sorted(set(_local_checkpoints(steps))):
        _keep_folder(resolve_checkpoint(name), store.root / CHECKPOINTS / content)


def _files_in(value: Any) -> Iterator[InputFile]:
    if isinstance(value, InputFile):
        yield replace(value, encoding="")
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _files_in(one)
    elif is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            member = getattr(value, each.name)
            if not isinstance(member, Step):
                yield from _files_in(member)


def _local_checkpoints(steps: Iterable[Step]) -> Iterator[tuple[str, str]]:
    for step in steps:
        if isinstance(step, EncodeStep):
            named: tuple[str | None, str | None] = step.backbone, step.checkpoint
        elif isinstance(step, ProjectStep):
            named = step.encoder, step.encoder_hash
        else:
            continue
        name, content = named
        if name and content and Path(name).expanduser().is_dir():
            yield name, content


def _keep_file(file: InputFile, folder: Path) -> None:
    kept = folder / file.path.name
    if kept.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{uuid4().hex}"
    try:
        shutil.copyfile(file.path, partial)
        if file_hash(partial) != file.content:
            raise InputError(f"{file.path} has changed since the study was read; run it again")
        os.replace(partial, kept)
    finally:
        partial.unlink(missing_ok=True)


def _keep_folder(checkpoint: Path, kept: Path) -> None:
    if kept.exists():
        return
    partial = kept.with_name(f".{kept.name}.{uuid4().hex}")
    partial.mkdir(parents=True)
    try:
        for path in checkpoint_files(checkpoint):
            shutil.copyfile(path, partial / path.name)
        os.replace(partial, kept)
    except OSError:
        if not kept.exists():  # else another driver was first
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)

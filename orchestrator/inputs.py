"""A study's input files in the store, so that nodes which do not have them can compute its steps.

Data files lie in ``<store>/files/<SHA-256>/``, a checkpoint that is a local folder in
``<store>/checkpoints/<hash>/``, each written and checked like a step. The driver puts them there
before a study runs on a cluster; a step reads them from there if they are not where the study says,
or are not what they were.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator.fingerprints import Json, file_hash
from orchestrator.steps.base import Step
from orchestrator.steps.encode import EncodeStep
from orchestrator.steps.project import ProjectStep
from orchestrator.steps.sources import CHECKPOINTS, FILES, InputFile, Kept
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
        _keep(Kept(FILES, file.content), [file.path], store)
    for name, content in sorted(set(_local_checkpoints(steps))):
        files = checkpoint_files(resolve_checkpoint(name))
        _keep(Kept(CHECKPOINTS, content), list(files), store)


def inputs_of(steps: Iterable[Step]) -> set[str]:
    """Content hashes of everything that ``steps`` read and a store may keep."""
    steps = list(steps)
    checkpoints = {content for _, content in _local_checkpoints(steps)}
    return checkpoints | {file.content for file in _files_in(steps)}


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


def _keep(kept: Kept, paths: Sequence[Path], store: StepStore) -> None:
    if store.is_done(kept):
        return

    def fill(folder: Path) -> dict[str, Json]:
        for path in paths:
            shutil.copyfile(path, folder / path.name)
            if kept.kind == FILES and file_hash(folder / path.name) != kept.fingerprint:
                raise InputError(f"{path} has changed since the study was read; run it again")
        return {"title": ", ".join(path.name for path in paths)}

    store.write(kept, fill)

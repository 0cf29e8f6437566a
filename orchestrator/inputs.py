"""Everything that a plan's steps read from outside of the store, put into it.

The driver does so before a study runs on a cluster: no node needs the study's folders then.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from orchestrator.steps.base import Step
from orchestrator.steps.encode import EncodeStep
from orchestrator.steps.kept import keep_checkpoint, keep_file
from orchestrator.steps.project import ProjectStep
from orchestrator.steps.sources import InputFile
from orchestrator.store import StepStore
from trainers.backbones import resolve_checkpoint


def keep_inputs(steps: Iterable[Step], store: StepStore) -> None:
    """Copy what ``steps`` read into ``store``, unless it is there.

    Raises:
        InputError: A file has changed since the study was read.
    """
    steps = list(steps)
    for path, content in sorted({(one.path, one.content) for one in _files_in(steps)}):
        keep_file(path, content, store)
    for name, content in sorted(set(_local_checkpoints(steps))):
        keep_checkpoint(resolve_checkpoint(name), content, store)


def _files_in(value: Any) -> Iterator[InputFile]:
    """Input files in a step's own fields; what it needs are steps of their own."""
    if isinstance(value, InputFile):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _files_in(one)
    elif is_dataclass(value) and not isinstance(value, type):
        members = (getattr(value, each.name) for each in fields(value))
        for member in members:
            if not isinstance(member, Step):
                yield from _files_in(member)


def _local_checkpoints(steps: Iterable[Step]) -> Iterator[tuple[str, str]]:
    for step in steps:
        if isinstance(step, EncodeStep) and _is_folder(step.backbone):
            yield step.backbone, step.checkpoint
        elif isinstance(step, ProjectStep) and step.encoder and _is_folder(step.encoder):
            yield step.encoder, str(step.encoder_hash)


def _is_folder(name: str) -> bool:
    return Path(name).expanduser().is_dir()

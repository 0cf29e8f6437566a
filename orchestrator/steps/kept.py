"""What a store keeps of a study's input files, for nodes on which they do not lie.

A data file is ``<store>/files/<SHA-256>/<name>``; a checkpoint that is a local folder is
``<store>/checkpoints/<hash>/``, its ``config.json`` written last.
"""

import os
from pathlib import Path
from uuid import uuid4

from orchestrator.fingerprints import file_hash
from orchestrator.store import StepStore
from projection.errors import InputError
from trainers.backbones import checkpoint_files, checkpoint_hash, resolve_checkpoint

FILES, CHECKPOINTS = "files", "checkpoints"
LAST = "config.json"


def keep_file(path: Path, content: str, store: StepStore) -> None:
    """Copy the file with hash ``content`` into ``store`` unless it is there.

    Raises:
        InputError: It is another file by now.
    """
    name = f"{FILES}/{content}/{path.name}"
    if store.files.exists(name):
        return
    if not path.is_file() or file_hash(path) != content:
        raise InputError(f"{path} has changed since the study was read; run it again")
    store.files.write(name, path.read_bytes())


def kept_file(path: Path, content: str, store: StepStore) -> Path | None:
    """Where this process can read the kept copy of the file that lay at ``path``, if there is."""
    return _on_this_machine(f"{FILES}/{content}/{path.name}", store)


def keep_checkpoint(folder: Path, content: str, store: StepStore) -> None:
    """Copy the checkpoint with hash ``content`` into ``store`` unless it is there."""
    for path in sorted(checkpoint_files(folder), key=lambda path: path.name == LAST):
        name = f"{CHECKPOINTS}/{content}/{path.name}"
        if not store.files.exists(name):
            store.files.write(name, path.read_bytes())


def found_checkpoint(name: str, content: str, store: StepStore) -> Path:
    """The folder of a checkpoint where this process can read it: kept, local or from the hub.

    Args:
        name: As the study calls it.
        content: Hash of its files.
        store: Asked first.

    Raises:
        InputError: It cannot be had, or is another one by now.
    """
    kept = f"{CHECKPOINTS}/{content}"
    names = store.files.names(kept)
    if LAST in names:
        for one in names:
            _on_this_machine(f"{kept}/{one}", store)
        return store.root / kept
    folder = resolve_checkpoint(name)
    if checkpoint_hash(folder) != content:
        raise InputError(f"{folder} has changed since the study was read; run the study again")
    return folder


def _on_this_machine(name: str, store: StepStore) -> Path | None:
    here = store.root / name
    if here.is_file() or store.local:
        return here if here.is_file() else None
    try:
        content = store.files.read(name)
    except FileNotFoundError:
        return None
    here.parent.mkdir(parents=True, exist_ok=True)
    arriving = here.with_name(f".{here.name}.{uuid4().hex}")
    arriving.write_bytes(content)
    os.replace(arriving, here)
    return here

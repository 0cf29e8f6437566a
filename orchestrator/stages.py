"""Where a command of several stages stands: a bar on a terminal, a line a stage elsewhere."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from projection.aligners import EmbedWords
from projection.aligners.base import Matrix
from projection.parallel import Words
from projection.translators.memory import Observe


class Stages:
    """Shows on standard error which stage runs."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    @contextmanager
    def stage(self, what: str) -> Iterator[Observe]:
        """Show ``what`` while the block runs; it may tell how many of how many are done."""
        if not self._console.is_terminal:
            self._console.print(what, highlight=False, soft_wrap=True, markup=False)
            yield lambda _done, _of: None
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        times = (TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(*columns, *times, console=self._console, transient=True) as bars:
            task = bars.add_task(what, total=None)
            yield lambda done, of: bars.update(task, completed=done, total=of)


def counted(embed: EmbedWords | None, observe: Observe, sentences: int) -> EmbedWords | None:
    """``embed`` that tells after every call how many of how many ``sentences`` it has read."""
    if embed is None:
        return None
    read = 0

    def embed_and_tell(some: Sequence[Words]) -> list[Matrix]:
        nonlocal read
        vectors = embed(some)
        read += len(some)
        observe(read, max(read, sentences))
        return vectors

    return embed_and_tell

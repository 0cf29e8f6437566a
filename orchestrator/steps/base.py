"""What every step is: an identity, what it needs, and how to compute it."""

import platform
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from orchestrator.fingerprints import Json, fingerprint, identity
from orchestrator.store import StepStore

if TYPE_CHECKING:
    import torch

    from trainers.flat import Layout
    from trainers.settings import WarmupSettings
    from trainers.warmup import Rounds
    from trainers.worker import LanguageWorker

Report = Callable[[Mapping[str, Json]], None]
"""Told where a running step stands."""


class WarmupJob(Protocol):
    """A warm-up as its workers need to know it; small enough to be sent anywhere."""

    @property
    def languages(self) -> tuple[str, ...]:
        """In canonical order."""

    @property
    def settings(self) -> "WarmupSettings":
        """Of the warm-up."""

    def worker(self) -> "LanguageWorker":
        """A worker of any of the languages, built where it is to run."""

    def costs(self) -> Mapping[str, float]:
        """What a round of each language is expected to take, in any unit."""


WorkerPool = Callable[[WarmupJob, "Layout"], AbstractContextManager["Rounds"]]
"""Starts the workers of a warm-up whose vectors have some layout, and ends them."""

CHECKPOINT_SECONDS = 60.0


class Every:
    """True about every so many seconds, whenever it is asked."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = time.monotonic()

    def __call__(self) -> bool:
        """True if so much time has passed since it last was."""
        now = time.monotonic()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where a step runs, and whom it tells. Nothing here changes a result."""

    store: StepStore
    device: "torch.device"
    pool: WorkerPool
    workers: int = 1
    """That ``pool`` starts."""
    report: Report = lambda _state: None
    wanted: Callable[[], bool] = lambda: True
    """False once nobody wants the result any more; asked by trainings, now and then."""
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    """Long steps write down where they are about so often, to go on from there after a crash."""


@dataclass(frozen=True, kw_only=True)
class Step(ABC):
    """One unit of work whose result depends on its identity alone."""

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    """Raised when the code changes what the step computes."""
    shareable: ClassVar[tuple[str, ...]] = ()
    """Small artefacts without text of a corpus: what may leave with the results."""

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of kind, version, settings, file contents and the steps needed."""
        return fingerprint([self.kind, self.version, identity(self)])

    @cached_property
    def needs(self) -> tuple["Step", ...]:
        """Steps that must be done before."""
        return tuple(_steps_in(getattr(self, each.name) for each in fields(self)))

    @property
    def cpus(self) -> int:
        """Cores that it keeps busy."""
        return 1

    @property
    def trains(self) -> bool:
        """True if it runs the model, and so wants a GPU where there is one."""
        return False

    @property
    def trajectory(self) -> str | None:
        """Names a course of work on which this step is a point, if there is one: it goes on from
        any point before it that is done.
        """
        return None

    @property
    def reach(self) -> int:
        """How far along its trajectory it is."""
        return 0

    @abstractmethod
    def title(self) -> str:
        """A few words for the progress view."""

    @abstractmethod
    def run(self, folder: Path, around: Surroundings) -> dict[str, Json]:
        """Write the artefacts into ``folder``; return the small results."""


def _steps_in(values: Iterator[Any] | Sequence[Any]) -> Iterator[Step]:
    for value in values:
        if isinstance(value, Step):
            yield value
        elif isinstance(value, tuple):
            yield from _steps_in(value)


def perform(step: Step, around: Surroundings) -> None:
    """Compute ``step`` into the store unless it is there already."""
    if not around.store.is_done(step):
        publish(step, around, lambda folder: step.run(folder, around))


def publish(
    step: Step,
    around: Surroundings,
    write: Callable[[Path], dict[str, Json]],
    began: float | None = None,
) -> None:
    """Put ``step`` into the store.

    Args:
        step: Not there yet.
        around: Where it was computed.
        write: Writes the artefacts into a folder and returns the small results.
        began: ``time.perf_counter()`` when the work on it began; None: now.
    """

    def fill(folder: Path) -> dict[str, Json]:
        clock = time.perf_counter() if began is None else began
        started = datetime.now(UTC) - timedelta(seconds=time.perf_counter() - clock)
        outputs = write(folder)
        return {
            "kind": step.kind,
            "version": step.version,
            "title": step.title(),
            "inputs": identity(step),
            "outputs": outputs,
            "started": started.isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - clock, 3),
            "device": str(around.device),
            "workers": around.workers,
            "host": platform.machine(),
            "versions": _versions(),
            "git_commit": git_commit(),
        }

    around.store.write(step, fill)


def _versions() -> dict[str, Json]:
    packages = ("xlwarm", "torch", "transformers", "tokenizers", "ray", "mlflow", "sil-thot")
    versions = {package: _version(package) for package in packages}
    return versions | {"python": platform.python_version()}


def _version(package: str) -> Json:
    """Of what is installed; None for code that the driver has sent."""
    try:
        return installed_version(package)
    except PackageNotFoundError:
        return None


@cache
def git_commit() -> str | None:
    """Commit of the code that runs, with ``+`` for uncommitted changes; None outside a checkout."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty=+", "--abbrev=40"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()

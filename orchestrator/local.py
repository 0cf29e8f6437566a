"""Computing steps in this process, without Ray: for tests and for looking at one step."""

import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.execute import Failure, Resources
from orchestrator.fingerprints import Json
from orchestrator.steps.base import Step, Surroundings, WarmupJob, perform
from orchestrator.store import StepStore
from projection.errors import InputError
from trainers.errors import TrainingDivergedError

if TYPE_CHECKING:
    from trainers.flat import Layout
    from trainers.warmup import Rounds


def attempt(step: Step, around: Surroundings) -> Failure | None:
    """Perform ``step``; an exception becomes a record and a log file."""
    try:
        perform(step, around)
    except Exception as error:
        log = around.store.log_path(step)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"{step.title()}\n{step.fingerprint}\n\n{traceback.format_exc()}")
        expected = isinstance(error, InputError | TrainingDivergedError)
        message = str(error) if expected else f"{type(error).__name__}: {error}"
        return Failure(message, str(log))
    return None


@contextmanager
def in_process_pool(job: WarmupJob, layout: "Layout") -> "Iterator[Rounds]":
    """All languages of a warm-up on one worker in this process."""
    from orchestrator.transports.in_process import InProcessRounds

    yield InProcessRounds(job, layout)


class InProcessLauncher:
    """Computes a step while it is submitted."""

    def __init__(self, root: Path) -> None:
        import torch

        self._around = Surroundings(
            store=StepStore(root), device=torch.device("cpu"), pool=in_process_pool
        )
        self._ended: list[tuple[Step, Failure | None]] = []

    @property
    def room(self) -> Resources:
        """One step at a time."""
        return Resources(1)

    def demand(self, step: Step) -> Resources:
        """All there is."""
        return Resources(1)

    def submit(self, step: Step) -> None:
        """Compute ``step``."""
        self._ended.append((step, attempt(step, self._around)))

    def collect(self, timeout: float) -> Sequence[tuple[Step, Failure | None]]:
        """What was submitted since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def states(self) -> Mapping[str, Mapping[str, Json]]:
        """Nothing runs between two calls."""
        return {}

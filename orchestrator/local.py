"""Computing steps in this process, without Ray: for tests and for looking at one step."""

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.execute import Failure
from orchestrator.fingerprints import Json
from orchestrator.schedule import Demand, Nodes, Resources
from orchestrator.steps.base import Step, Surroundings, WarmupJob, perform
from orchestrator.store import BrokenStepError, StepStore
from projection.errors import InputError
from trainers.errors import TrainingDivergedError, TrainingStoppedError

if TYPE_CHECKING:
    from trainers.flat import Layout
    from trainers.warmup import Rounds


def attempt(
    step: Step, around: Surroundings, is_loss: Callable[[Exception], bool] = lambda _error: False
) -> Failure | None:
    """Perform ``step``; an exception becomes a record and a log file.

    Args:
        step: Whose needs are done.
        around: Where it runs.
        is_loss: True for what another attempt may well survive. Bad input and a training that
            diverged never are; one that was stopped always is.
    """
    try:
        perform(step, around)
    except TrainingStoppedError:
        return Failure("it was no longer wanted", "none", lost=True)
    except BrokenStepError as error:
        return Failure(str(error), _log(step, around), lost=True, broken=error.fingerprint)
    except Exception as error:
        expected = isinstance(error, InputError | TrainingDivergedError)
        message = str(error) if expected else f"{type(error).__name__}: {error}"
        return Failure(message, _log(step, around), lost=not expected and is_loss(error))
    return None


def _log(step: Step, around: Surroundings) -> str:
    """Write the traceback; the path of the log, or why there is none."""
    log = around.store.log_path(step)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"{step.title()}\n{step.fingerprint}\n\n{traceback.format_exc()}")
    except OSError as error:
        return f"none; it could not be written ({error})"
    return str(log)


@contextmanager
def in_process_pool(job: WarmupJob, layout: "Layout") -> "Iterator[Rounds]":
    """All languages of a warm-up on one worker in this process."""
    from orchestrator.transports.in_process import InProcessRounds

    yield InProcessRounds(job, layout)


class InProcessLauncher:
    """Computes a step while it is submitted.

    Args:
        location: Of the step store.
    """

    def __init__(self, location: Path | str) -> None:
        import torch

        self._around = Surroundings(
            store=StepStore(location), device=torch.device("cpu"), pool=in_process_pool
        )
        self._ended: list[tuple[Step, Failure | None]] = []

    def nodes(self) -> Nodes:
        """One step at a time."""
        return {"here": Resources(1)}

    def demand(self, step: Step) -> Demand:
        """All there is."""
        return (Resources(1),)

    def refusal(self, step: Step) -> str | None:
        """Everything is tried."""
        return None

    def retries(self, step: Step) -> int:
        """If this process dies there is nobody to try again."""
        return 0

    def submit(self, step: Step) -> None:
        """Compute ``step``."""
        self._ended.append((step, attempt(step, self._around)))

    def stop(self, step: Step) -> None:
        """It has ended already."""

    def collect(self, timeout: float) -> Sequence[tuple[Step, Failure | None]]:
        """What was submitted since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def states(self) -> Mapping[str, Mapping[str, Json]]:
        """Nothing runs between two calls."""
        return {}

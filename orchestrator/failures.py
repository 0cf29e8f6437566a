"""An observer that has the store remember why steps failed."""

import platform
from datetime import UTC, datetime

from orchestrator.execute import Failure, Observer
from orchestrator.steps.base import Step
from orchestrator.store import StepStore
from orchestrator.store.failures import FailureNote, note_failure


class FailureNotes(Observer):
    """Notes every failed step in the store; whoever publishes the step later removes the note.

    The driver notes it, not the attempt: an attempt whose process was killed cannot.
    """

    def __init__(self, store: StepStore) -> None:
        self._store = store

    def failed(self, step: Step, failure: Failure) -> None:
        """Note what, why, when, and where the log is."""
        note = FailureNote(
            kind=step.kind,
            fingerprint=step.fingerprint,
            title=step.title(),
            message=failure.message,
            log=failure.log,
            host=platform.node(),
            when=datetime.now(UTC),
        )
        note_failure(self._store.files, note)

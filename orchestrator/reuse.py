"""What of a plan need not be computed again."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from orchestrator.steps.base import Step


class Known(Protocol):
    """What was computed before, at a glance: a step store, or what is assumed of one."""

    def is_done(self, step: Step) -> bool:
        """True if ``step`` is there, as far as a glance tells."""

    def has_result(self, step: Step) -> bool:
        """True if ``step`` is there, or at least what it found: enough for whoever reads results,
        not for a step that needs it.
        """


class Finished(Known, Protocol):
    """What was computed before, to the last byte."""

    def is_whole(self, step: Step) -> bool:
        """True if every byte of ``step`` is there."""

    def record(self, step: Step) -> Mapping[str, Any]:
        """``step.json`` of a step with a result."""


def reusable(steps: Sequence[Step], store: Finished) -> list[Step]:
    """Those of ``steps`` that need not be computed, in their order.

    Every byte is checked of what a missing step will read; of the rest, that files are there and
    have their sizes, or that there is a result. What is broken is moved aside in the store, and so
    is missing itself.

    Args:
        steps: Needed ones before those that need them.
        store: Where they would be.
    """
    return _usable(steps, store, store.is_whole)


def at_hand(steps: Sequence[Step], store: Known) -> list[Step]:
    """The same by a glance: no byte is checked and nothing is moved."""
    return _usable(steps, store, store.is_done)


def missing_steps(steps: Sequence[Step], store: Known) -> list[Step]:
    """Those of ``steps`` that are to be computed, by a glance."""
    usable = {step.fingerprint for step in at_hand(steps, store)}
    return [step for step in steps if step.fingerprint not in usable]


def _usable(steps: Sequence[Step], store: Known, can_be_read: Callable[[Step], bool]) -> list[Step]:
    usable: set[str] = set()
    read: set[str] = set()
    for step in reversed(steps):
        is_read = step.fingerprint in read
        if can_be_read(step) if is_read else store.has_result(step):
            usable.add(step.fingerprint)
        if is_read or step.fingerprint not in usable:
            read |= {needed.fingerprint for needed in step.needs}
    return [step for step in steps if step.fingerprint in usable]

"""What of a plan need not be computed again."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from orchestrator.steps.base import Step


class Finished(Protocol):
    """What was computed before: a step store, or what is assumed of one."""

    def is_done(self, step: Step) -> bool:
        """True if ``step`` is there, as far as a glance tells."""

    def is_whole(self, step: Step) -> bool:
        """True if every byte of ``step`` is there."""

    def record(self, step: Step) -> Mapping[str, Any]:
        """``step.json`` of a finished step."""


def reusable(steps: Sequence[Step], store: Finished) -> list[Step]:
    """Those of ``steps`` that are done, in their order.

    Every byte is checked of what a missing step will read; of the rest, that files are there and
    have their sizes. What is broken is moved aside in the store, and so is missing itself.

    Args:
        steps: Needed ones before those that need them.
        store: Where they would be.
    """
    done = {step.fingerprint for step in steps if store.is_done(step)}
    read: set[str] = set()
    for step in reversed(steps):
        if step.fingerprint in done and step.fingerprint in read and not store.is_whole(step):
            done.discard(step.fingerprint)
        if step.fingerprint not in done or step.fingerprint in read:
            read |= {needed.fingerprint for needed in step.needs}
    return [step for step in steps if step.fingerprint in done]

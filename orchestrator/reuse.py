"""What of a plan need not be computed again."""

from collections.abc import Sequence

from orchestrator.steps.base import Step
from orchestrator.store import StepStore


def reusable(steps: Sequence[Step], store: StepStore) -> list[Step]:
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

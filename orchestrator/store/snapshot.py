"""A store as somebody reads it who asks for the same steps again and again."""

from functools import cached_property
from typing import Any

from orchestrator.store.step_store import StepStore


class Snapshot(StepStore):
    """Each step as it was when it was first looked at, done or not; for reading only.

    A report asks a dozen times for each of some thousand steps, and must not find more of them done
    in its second half than in its first.
    """

    @cached_property
    def _looked_at(self) -> dict[str, dict[str, Any] | None]:
        return {}

    def _sound_record(self, name: str) -> dict[str, Any] | None:
        if name not in self._looked_at:
            self._looked_at[name] = super()._sound_record(name)
        return self._looked_at[name]


def snapshot(store: StepStore) -> Snapshot:
    """Of ``store``, from now on."""
    return Snapshot(store.location, store.patience)

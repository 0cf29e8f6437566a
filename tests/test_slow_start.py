"""A machine that is too busy to start Ray in time: tried again, then said plainly."""

from typing import Any

import pytest
import ray

from orchestrator.cluster import STARTS, cluster
from projection.errors import InputError

SLOW = "The current node timed out during startup. This could happen because ..."


class Start:
    """``ray.init`` that is too slow so many times, or fails with ``error``."""

    def __init__(self, slow: int = 0, error: Exception | None = None) -> None:
        self.calls, self._slow, self._error = 0, slow, error

    def __call__(self, **settings: Any) -> None:
        self.calls += 1
        if self._error is not None:
            raise self._error
        if self.calls <= self._slow:
            raise Exception(SLOW)  # what Ray raises is no more than this


def start(monkeypatch: pytest.MonkeyPatch, init: Start) -> None:
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    with cluster():
        pass


def test_a_slow_start_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    init = Start(slow=STARTS - 1)
    start(monkeypatch, init)
    assert init.calls == STARTS


def test_a_machine_that_never_starts_ray_in_time_is_said_to_be_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(InputError, match=r"Ray did not start on this machine, 3 times .* wait"):
        start(monkeypatch, Start(slow=STARTS))


def test_any_other_failure_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    init = Start(error=MemoryError("none left"))
    with pytest.raises(MemoryError):
        start(monkeypatch, init)
    assert init.calls == 1

"""Processes of a test's own Ray cluster, found to be killed; never anybody else's."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import psutil

from orchestrator.execute import Failure, Observer
from orchestrator.fingerprints import Json
from orchestrator.steps.base import Step

States = Mapping[str, Mapping[str, Json]]


class Watch(Observer):
    """Observer that counts starts and acts once, in the middle of a step.

    Args:
        act: Called while ``step`` runs and has reported progress; True if it did what it should.
        kind: Of the step.
    """

    def __init__(self, act: Callable[[Step], bool], kind: str) -> None:
        self.starts: Counter[str] = Counter()
        self.acted_on: Step | None = None
        self._act, self._kind = act, kind
        self._running: dict[str, Step] = {}

    def started(self, step: Step) -> None:
        self.starts[step.fingerprint] += 1
        self._running[step.fingerprint] = step

    def finished(self, step: Step) -> None:
        self._running.pop(step.fingerprint, None)

    def lost(self, step: Step, failure: Failure) -> None:
        self._running.pop(step.fingerprint, None)

    failed = lost

    def tick(self, states: States) -> None:
        for key, step in self._running.items():
            begun = bool(states.get(key, {}).get("done"))
            if self.acted_on is None and step.kind == self._kind and begun and self._act(step):
                self.acted_on = step


def kill_process(name: str) -> bool:
    """SIGKILL one process of this test's cluster that Ray calls ``ray::<name>...``."""
    for process in own_processes():
        if _command(process).startswith(f"ray::{name}"):
            os.kill(process.pid, signal.SIGKILL)
            return True
    return False


def own_processes(pid: int | None = None) -> Iterator[psutil.Process]:
    """Everything below this process, or below ``pid``."""
    try:
        yield from psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""

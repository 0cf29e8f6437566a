"""The step store: a folder in which everything that was computed lies under its fingerprint.

``<store>/<kind>/<fingerprint>/`` holds the artefacts, ``step.json`` and ``DONE``. A step is written
into a folder beside it and put in place by one atomic rename, so a reader sees all or nothing. What
a step needs to go on with after a crash lies in ``<store>/partial/<kind>/<fingerprint>/scratch``.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from orchestrator.fingerprints import Json

DONE = "DONE"
RECORD = "step.json"
PARTIAL = "partial"


class Stored(Protocol):
    """What the store needs to know of a step."""

    @property
    def kind(self) -> str:
        """Kind of step, the name of its folder in the store."""

    @property
    def fingerprint(self) -> str:
        """Identity of the step."""


@dataclass(frozen=True, slots=True)
class StepStore:
    """A store on a file system that all workers share.

    Args:
        root: Created when first written to.
    """

    root: Path

    def folder(self, step: Stored) -> Path:
        """Where the artefacts of ``step`` are, or will be."""
        return self.root / step.kind / step.fingerprint

    def is_done(self, step: Stored) -> bool:
        """True if ``step`` was computed, by whomever."""
        return (self.folder(step) / DONE).exists()

    def record(self, step: Stored) -> dict[str, Any]:
        """``step.json`` of a finished step.

        Raises:
            FileNotFoundError: The step is not done.
        """
        content: dict[str, Any] = json.loads((self.folder(step) / RECORD).read_text())
        return content

    def outputs(self, step: Stored) -> dict[str, Any]:
        """What a finished step reported."""
        outputs: dict[str, Any] = self.record(step)["outputs"]
        return outputs

    def write(self, step: Stored, fill: Callable[[Path], Mapping[str, Json]]) -> None:
        """Let ``fill`` write the artefacts and return the record; then publish them at once.

        If another driver was first, its result stays and this one is thrown away: equal
        fingerprints mean equal results.
        """
        final = self.folder(step)
        partial = final.with_name(f".{final.name}.{uuid4().hex}")
        partial.mkdir(parents=True)
        try:
            record = fill(partial)
            (partial / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False))
            (partial / DONE).touch()
            self._publish(partial, final)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(self._scratch(step), ignore_errors=True)

    def scratch(self, step: Stored) -> Path:
        """A folder in which ``step`` keeps what it would go on with after a crash.

        It is there, and holds what the last attempt left; it is removed when the step is done.
        Write to it by renaming whole files: an attempt may end at any moment.
        """
        folder = self._scratch(step)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _scratch(self, step: Stored) -> Path:
        return self.root / PARTIAL / step.kind / step.fingerprint / "scratch"

    @staticmethod
    def _publish(partial: Path, final: Path) -> None:
        try:
            os.rename(partial, final)
        except OSError:
            if not (final / DONE).exists():
                raise

    def log_path(self, step: Stored) -> Path:
        """Where the log of a failed attempt goes."""
        return self.root / "logs" / f"{step.kind}-{step.fingerprint[:12]}.log"

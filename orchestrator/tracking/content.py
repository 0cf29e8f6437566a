"""What one MLflow run is to show, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from orchestrator.fingerprints import file_hash, fingerprint, identity

RunKey = tuple[str, str]
"""Kind and fingerprint of a run."""

RUNNING, FINISHED, FAILED, KILLED = "RUNNING", "FINISHED", "FAILED", "KILLED"
"""States of a run that MLflow knows."""


@dataclass(frozen=True, slots=True)
class Point:
    """A measurement; equal ones are one."""

    name: str
    value: float
    when: int
    """Milliseconds since 1970: when it was measured, not when it was logged."""
    step: int = 0


@dataclass(frozen=True, slots=True)
class DatasetUse:
    """A corpus that went into a run."""

    name: str
    digest: str
    """First digits of the fingerprint of its content, at most 36."""
    context: str
    """training, validation, warm-up or test."""
    source: str
    """URI of where it was."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """A file that is shown with a run."""

    path: Path
    folder: str | None = None
    """Of the run's artefacts."""


@dataclass(frozen=True, kw_only=True)
class RunContent:
    """A run: what it is, where it belongs, and everything to be seen of it."""

    kind: str
    fingerprint: str
    name: str
    parent: RunKey | None = None
    status: str
    started: int
    ended: int | None = None
    """Milliseconds since 1970; None while it runs."""
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    points: tuple[Point, ...] = ()
    datasets: tuple[DatasetUse, ...] = ()
    artefacts: tuple[Artefact, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    """Small files by their path among the artefacts."""
    note: str = ""
    """Markdown that MLflow shows as the description."""

    @property
    def key(self) -> RunKey:
        """By which it is found again."""
        return self.kind, self.fingerprint

    @cached_property
    def digest(self) -> str:
        """Changes with whatever is to be seen, so that what is logged need not be logged again."""
        files = [[file_hash(one.path), one.path.name, one.folder] for one in self.artefacts]
        shown = replace(self, artefacts=(), started=0, ended=None)
        return fingerprint([identity(shown), files])

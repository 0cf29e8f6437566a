"""A store without files, for tests whose launcher computes nothing."""

from dataclasses import dataclass, field
from typing import Any

from orchestrator.fingerprints import identity
from orchestrator.steps.base import Step


@dataclass
class Shelf:
    """A store in which steps are done because a test says so."""

    done: set[str] = field(default_factory=set)

    def is_done(self, step: Step) -> bool:
        return step.fingerprint in self.done

    has_result = is_whole = is_done

    def record(self, step: Step) -> dict[str, Any]:
        return {"kind": step.kind, "inputs": identity(step), "seconds": 1.0}

"""The step store: what was computed, by fingerprint; on a folder or behind any fsspec URI."""

from orchestrator.store.contents import DONE, RECORD
from orchestrator.store.patience import StoreRefusedError
from orchestrator.store.snapshot import Snapshot, snapshot
from orchestrator.store.step_store import (
    BrokenStepError,
    StepStore,
    Stored,
    imported_place,
    open_store,
)

__all__ = [
    "DONE",
    "RECORD",
    "BrokenStepError",
    "Snapshot",
    "StepStore",
    "StoreRefusedError",
    "Stored",
    "imported_place",
    "open_store",
    "snapshot",
]

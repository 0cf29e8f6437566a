"""Why steps failed: a small note in the store for each, until the step is done.

``failures/<kind>/<fingerprint>.json``; every driver of the store sees it, and whoever publishes the
step removes it. A note guards nothing: a step that is done is done, whatever is noted of it.
"""

import logging
from collections.abc import Iterator
from datetime import datetime

from pydantic import BaseModel, ValidationError

from orchestrator.store.files import Files

FAILURES = "failures"

log = logging.getLogger("xlwarm.store")


class FailureNote(BaseModel, frozen=True):
    """What became of the last attempt at a step."""

    kind: str
    fingerprint: str
    title: str
    """Of the step, for people."""
    message: str
    """Why it has no result."""
    log: str
    """Where the whole story is, or why nowhere."""
    host: str
    """Of the driver."""
    when: datetime

    @property
    def name(self) -> str:
        """Of its file."""
        return failure_name(f"{self.kind}/{self.fingerprint}")


def failure_name(place: str) -> str:
    """File of the note of the step at ``<kind>/<fingerprint>``."""
    return f"{FAILURES}/{place}.json"


def note_failure(files: Files, note: FailureNote) -> None:
    """Keep ``note`` in place of an earlier one; a store that refuses only costs the note."""
    try:
        files.write(note.name, note.model_dump_json(indent=1).encode())
    except Exception as error:  # whatever the file system raises
        log.warning("%s could not be written: %s", note.name, error)


def forget_failure(files: Files, place: str) -> None:
    """The step at ``<kind>/<fingerprint>`` is done; a store that refuses does no harm."""
    try:
        files.remove(failure_name(place))
    except Exception as error:  # the note is not read while the step is done
        log.warning("%s could not be removed: %s", failure_name(place), error)


def failure_notes(files: Files) -> Iterator[tuple[str, FailureNote]]:
    """Every note in the store, after the name of its file; what cannot be read is none."""
    for kind in files.names(FAILURES):
        for last in files.names(f"{FAILURES}/{kind}"):
            name = f"{FAILURES}/{kind}/{last}"
            try:
                yield name, FailureNote.model_validate_json(files.read(name))
            except (FileNotFoundError, ValidationError):
                continue  # removed, or half written, a moment ago

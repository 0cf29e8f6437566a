"""What a study has cost so far, by the records of its steps."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from orchestrator.steps.base import Step
from orchestrator.store import StepStore

GPU = "cuda"


@dataclass(frozen=True, slots=True)
class Spent:
    """The finished steps of one kind.

    Args:
        kind: Of step.
        done: How many are.
        wanted: How many the study needs.
        seconds: That they took, one after the other.
        gpu_seconds: Of those on GPUs; a warm-up's count for each of its workers, and a fraction
            of a GPU for a whole one.
        devices: Where they ran.
    """

    kind: str
    done: int
    wanted: int
    seconds: float
    gpu_seconds: float
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Period:
    """From the start of the first step to the end of the last."""

    started: datetime
    ended: datetime


@dataclass(frozen=True, slots=True)
class Provenance:
    """What made the finished steps, each with how many steps it made.

    Args:
        commits: Of the code; None where it was in no checkout.
        versions: Package and version.
    """

    commits: tuple[tuple[str | None, int], ...]
    versions: tuple[tuple[str, int], ...]


def spent(steps: Sequence[Step], store: StepStore) -> list[Spent]:
    """By kind, in the order in which the plan has them."""
    records: dict[str, list[dict[str, Any]]] = {step.kind: [] for step in steps}
    for step in steps:
        if store.has_result(step):
            records[step.kind].append(store.record(step))
    wanted = Counter(step.kind for step in steps)
    return [_spent(kind, found, wanted[kind]) for kind, found in records.items()]


def _spent(kind: str, records: Sequence[dict[str, Any]], wanted: int) -> Spent:
    return Spent(
        kind,
        len(records),
        wanted,
        sum(record["seconds"] for record in records),
        sum(
            record["seconds"] * record.get("workers", 1)
            for record in records
            if record["device"].startswith(GPU)
        ),
        tuple(sorted({record["device"] for record in records})),
    )


def done_records(steps: Iterable[Step], store: StepStore) -> list[dict[str, Any]]:
    """Records of the steps that are done."""
    return [store.record(step) for step in steps if store.has_result(step)]


def period(records: Iterable[dict[str, Any]]) -> Period | None:
    """When ``records`` were made; None for none."""
    times = [(datetime.fromisoformat(one["started"]), one["seconds"]) for one in records]
    if not times:
        return None
    ends = (started + timedelta(seconds=took) for started, took in times)
    return Period(min(started for started, _ in times), max(ends))


def provenance(records: Sequence[dict[str, Any]]) -> Provenance:
    """Commits and versions of packages, most frequent first."""
    commits = Counter(record["git_commit"] for record in records)
    versions = Counter(
        f"{package} {version}"
        for record in records
        for package, version in record["versions"].items()
        if version is not None
    )
    return Provenance(tuple(commits.most_common()), tuple(versions.most_common()))

"""Results in one file, from a store to another: scores, curves and counts, no text and no weights.

A zip: ``results.json`` (format, studies), then ``<kind>/<fingerprint>/`` of every step that has a
result: ``step.json``, ``DONE`` and what of its artefacts is shareable. Counts of each sentence
stand for a test's predictions, so that reports on imported results are those of the store that
found them, significance and errors included.
"""

import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, ValidationError

from orchestrator.plan import Plan
from orchestrator.predictions import COUNTED, GoldSet, counted, read_gold, read_tested
from orchestrator.steps.base import Step
from orchestrator.steps.evaluate import EvaluateStep
from orchestrator.steps.sources import Source
from orchestrator.store import DONE, RECORD, StepStore, imported_place
from orchestrator.store.contents import Content, contents_in, opened, sealed
from orchestrator.store.workplace import work_folder
from orchestrator.zips import new_zip
from projection.errors import InputError

HEAD = "results.json"
FORMAT = 1
MEMBER = re.compile(r"(?P<kind>[a-z]+)/(?P<fingerprint>[0-9a-f]{64})/(?P<artefact>\w[\w.-]*)")
EVALUATE = EvaluateStep.kind

SAME_DATE = (1980, 1, 1, 0, 0, 0)
"""Of every member: equal results make equal files."""


class Head(BaseModel, extra="forbid"):
    """``results.json``."""

    format: int
    studies: list[str]


@dataclass(frozen=True, slots=True)
class StepId:
    """A step as far as a store needs to know it."""

    kind: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Differing:
    """A test that two stores did with different scores: other processors round differently."""

    title: str
    here: float
    """Micro-F1 in percent, in the store that imports."""
    there: float


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Args:
        new: Steps whose results were not known.
        known: Those that were, and stay as they were.
        differing: Tests among those with other scores.
    """

    new: tuple[StepId, ...]
    known: tuple[StepId, ...]
    differing: tuple[Differing, ...]


def export_results(plans: Sequence[Plan], store: StepStore, path: Path) -> dict[str, int]:
    """Write what ``store`` found for ``plans``; returns how many steps of each kind.

    Args:
        plans: Of the studies.
        store: That has results of them, its own or imported ones.
        path: Of the file; written whole or not at all.

    Raises:
        InputError: There is no result, the gold labels of a test cannot be read, or the file cannot
            be written.
    """
    steps = {step.fingerprint: step for plan in plans for step in plan.steps}
    found = [step for step in steps.values() if store.has_result(step)]
    if not any(step.kind == EVALUATE for step in found):
        raise InputError(f"the store {store.location} has no result of {_names(plans)} yet")
    head = Head(format=FORMAT, studies=[plan.study.name for plan in plans])
    with new_zip(path) as out:
        _add(out, HEAD, head.model_dump_json(indent=1).encode())
        for step, members in _members(found, store):
            for name, content in members.items():
                _add(out, f"{step.kind}/{step.fingerprint}/{name}", content)
    kinds = [step.kind for step in found]
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}


def _names(plans: Iterable[Plan]) -> str:
    return ", ".join(dict.fromkeys(plan.study.name for plan in plans))


def _add(out: zipfile.ZipFile, name: str, content: bytes) -> None:
    out.writestr(zipfile.ZipInfo(name, SAME_DATE), content, zipfile.ZIP_DEFLATED)


def _members(steps: Iterable[Step], store: StepStore) -> Iterator[tuple[Step, Mapping[str, bytes]]]:
    """Files of each step, ``step.json`` and ``DONE`` among them."""
    gold: dict[Source, GoldSet] = {}
    for step in steps:
        record = store.record(step)
        had = contents_in(record)
        content = {name: store.read(step, name) for name in step.shareable if name in had}
        if isinstance(step, EvaluateStep):
            if step.test not in gold:
                gold[step.test] = read_gold(step, store)
            content[COUNTED] = counted(read_tested(step, gold[step.test], store))
        left = {name: one.model_dump() for name, one in had.items() if name not in content}
        text, done = sealed(
            record | {"left_out": record.get("left_out", {}) | left},
            {name: _content(one) for name, one in content.items()},
        )
        yield step, {**content, RECORD: text, DONE: done}


def _content(content: bytes) -> Content:
    return Content(bytes=len(content), sha256=sha256(content).hexdigest())


def import_results(path: Path, store: StepStore) -> Imported:
    """Put the results in a file into ``store``; what it knows already stays as it is.

    Raises:
        InputError: It is no such file, or damaged; nothing was imported.
    """
    with _opened(path) as file:
        members = _checked(file, path)
    new, known, differing = [], [], []
    for step, files in members.items():
        if not store.has_result(step):
            new.append(step)
            _put(step, files, store)
            continue
        known.append(step)
        if step.kind == EVALUATE:
            here, there = store.record(step), json.loads(files[RECORD])
            if here["outputs"]["micro"] != there["outputs"]["micro"]:
                scores = (one["outputs"]["micro"]["f1"] for one in (here, there))
                differing.append(Differing(here["title"], *scores))
    return Imported(tuple(new), tuple(known), tuple(differing))


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        file = zipfile.ZipFile(path)
        head = Head.model_validate_json(file.read(HEAD))
    except (OSError, zipfile.BadZipFile, KeyError, ValidationError) as error:
        raise InputError(
            f"{path}: cannot be read as results ({error}); expected a file that "
            "`xlwarm store export` wrote"
        ) from None
    if head.format != FORMAT:
        raise InputError(
            f"{path}: results of format {head.format}, this xlwarm reads format {FORMAT}; use the "
            "version that wrote them"
        )
    return file


def _checked(file: zipfile.ZipFile, path: Path) -> dict[StepId, dict[str, bytes]]:
    """Files by step, each as it was sealed."""
    steps: dict[StepId, dict[str, bytes]] = {}
    for name in file.namelist():
        if name != HEAD:
            step, artefact = _parts(name, path)
            steps.setdefault(step, {})[artefact] = _content_of(file, name, path)
    for step, files in steps.items():
        record = opened(files.get(RECORD, b""), files.get(DONE, b""))
        expected = contents_in(record) if record else {}
        found = {name: _content(one) for name, one in files.items() if name not in (RECORD, DONE)}
        if record is None or found != expected:
            raise _damaged(path, f"{step.kind} {step.fingerprint} is not what was exported")
    return steps


def _parts(name: str, path: Path) -> tuple[StepId, str]:
    parts = MEMBER.fullmatch(name)
    if parts is None:
        raise _damaged(path, f"{name!r} is no file of a step")
    return StepId(parts["kind"], parts["fingerprint"]), parts["artefact"]


def _content_of(file: zipfile.ZipFile, name: str, path: Path) -> bytes:
    try:
        return file.read(name)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(path, str(error)) from None


def _damaged(path: Path, problem: str) -> InputError:
    return InputError(f"{path}: damaged: {problem}; nothing was imported. Export it again")


def _put(step: StepId, files: Mapping[str, bytes], store: StepStore) -> None:
    with work_folder() as work:
        for name, content in files.items():
            (work / name).write_bytes(content)
        store.put(work, imported_place(step))

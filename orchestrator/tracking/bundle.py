"""A study's MLflow data in one file, from a machine without network to one that has a server.

A zip: ``bundle.json`` (experiment and tags), ``runs.jsonl`` (one :class:`RunContent` a line) and
``files/<SHA-256>``.
"""

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import TypeAdapter, ValidationError

from orchestrator.fingerprints import file_hash
from orchestrator.mlflow_runs import MlflowRuns
from orchestrator.plan import Plan
from orchestrator.store import StepStore
from orchestrator.tracking.content import RunContent
from orchestrator.tracking.names import common_tags
from orchestrator.tracking.study_runs import StudyRuns
from orchestrator.tracking.writer import RunWriter
from orchestrator.zips import new_zip
from projection.errors import InputError

HEAD, RUNS, FILES = "bundle.json", "runs.jsonl", "files"
VERSION = 1

_CONTENT = TypeAdapter(RunContent)


def write_bundle(
    plan: Plan, store: StepStore, status: str, texts: Mapping[str, str], path: Path
) -> int:
    """Write to ``path`` what MLflow is to show of a study; returns the number of runs.

    Args:
        plan: Of the study.
        store: Where its results are.
        status: How the study ended.
        texts: Tables and the like, by file name.
        path: Of the bundle; written whole or not at all.
    """
    head = {
        "version": VERSION,
        "experiment": plan.study.name,
        "tags": common_tags(plan.study),
    }
    runs = list(StudyRuns(plan, store).all(status, texts))
    files = {file_hash(file.path): file.path for run in runs for file in run.artefacts}
    with new_zip(path) as bundle:
        bundle.writestr(HEAD, json.dumps(head))
        bundle.writestr(RUNS, "".join(json.dumps(_as_row(run)) + "\n" for run in runs))
        for name, file in files.items():
            bundle.write(file, f"{FILES}/{name}")
    return len(runs)


def _as_row(run: RunContent) -> dict[str, Any]:
    artefacts = [
        {"file": file_hash(one.path), "name": one.path.name, "folder": one.folder}
        for one in run.artefacts
    ]
    return asdict(run) | {"artefacts": artefacts}


def log_bundle(path: Path, uri: str) -> int:
    """Log what a bundle holds to the MLflow at ``uri``; returns the number of runs.

    Repeating it, or having logged the study there already, changes nothing.

    Raises:
        InputError: It is no bundle, or one that is damaged.
    """
    with _opened(path) as bundle:
        runs = MlflowRuns(bundle.experiment, None, uri, bundle.tags)
        writer = RunWriter(runs)
        for run in bundle.runs:
            writer.write(run)
        return len(bundle.runs)


@dataclass(frozen=True, slots=True)
class _Bundle:
    """A bundle whose files lie in a folder."""

    experiment: str
    tags: Mapping[str, str]
    runs: list[RunContent]


@contextmanager
def _opened(path: Path) -> Iterator[_Bundle]:
    with TemporaryDirectory(prefix="xlwarm-bundle-") as folder, zipfile.ZipFile(path) as bundle:
        try:
            head = json.loads(bundle.read(HEAD))
            if head["version"] != VERSION:
                raise InputError(f"{path}: is a bundle of another xlwarm (form {head['version']})")
            rows = [json.loads(line) for line in bundle.read(RUNS).splitlines()]
            runs = [_run(row, bundle, Path(folder)) for row in rows]
            experiment, tags = str(head["experiment"]), dict(head["tags"])
        except (KeyError, TypeError, ValidationError, json.JSONDecodeError, zipfile.BadZipFile):
            raise InputError(
                f"{path}: is no whole bundle; `xlwarm sync STUDY --bundle FILE` writes one"
            ) from None
        yield _Bundle(experiment, tags, runs)


def _run(row: dict[str, Any], bundle: zipfile.ZipFile, folder: Path) -> RunContent:
    """A run whose artefacts are unpacked into ``folder``, under names that cannot leave it."""
    artefacts = []
    for one in row["artefacts"]:
        path = folder / Path(one["file"]).name / Path(one["name"]).name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(bundle.read(f"{FILES}/{one['file']}"))
        artefacts.append({"path": path, "folder": one["folder"]})
    return _CONTENT.validate_python(row | {"artefacts": artefacts})

"""A study as a Ray job: sent to the dashboard of a running cluster, and followed from here."""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestrator.cluster import SHIPPED
from orchestrator.study import Study
from projection.errors import InputError

DATA = "data"
STUDY = "study.yaml"
NOT_CODE = shutil.ignore_patterns("__pycache__", "*.pyc")


@dataclass(frozen=True)
class StudyJob:
    """What the cluster is asked to run.

    Args:
        folder: Everything that travels: the study, its data files, the code.
        options: Of the command on the cluster.
        command: Of ``xlwarm``.
    """

    folder: Path
    options: tuple[str, ...]
    command: str = "run"

    @property
    def entrypoint(self) -> str:
        """The command that the job runs in its copy of ``folder``."""
        return " ".join(["python", "-m", "orchestrator.cli", self.command, STUDY, *self.options])


def pack_study(
    study: Study,
    folder: Path,
    *,
    store: str,
    command: str = "run",
    options: Sequence[str] = (),
) -> StudyJob:
    """Write ``study`` with its data and this code into the empty ``folder``.

    Args:
        study: Whose data files are where it says, under its ``data_root``.
        folder: To travel.
        store: As the cluster sees it.
        command: Of ``xlwarm`` that the job runs.
        options: More of its options.

    Raises:
        InputError: A path would not be there on the cluster.
    """
    if "://" not in store and not Path(store).is_absolute():
        raise InputError(
            f"--store {store} is relative to this machine; a Ray job needs a path or URI that all "
            "nodes of the cluster see, such as /shared/store or s3://bucket/store"
        )
    if Path(study.backbone.name).expanduser().is_dir():
        raise InputError(
            f"backbone {study.backbone.name} is a folder of this machine; a Ray job needs a hub "
            "id, a bundled backbone, or a folder that the cluster sees: submit from there"
        )
    for _, path in study.files():
        _copy_data(path, study.data_root, folder / DATA)
    content = study.model_dump(mode="json", exclude_unset=True)
    content |= {"data_root": DATA, "cluster": _on_the_cluster(study)}
    (folder / STUDY).write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
    if study.cluster.code == "ship":
        _copy_code(folder)
    return StudyJob(folder, ("--store", store, *options), command)


def _on_the_cluster(study: Study) -> dict[str, Any]:
    """The job's driver joins the cluster that it runs on; its workers have its code already."""
    settings = study.cluster.model_dump(mode="json", exclude_unset=True)
    return settings | {"address": "auto", "code": "installed"}


def _copy_data(path: Path, root: Path, to: Path) -> None:
    try:
        copy = to / path.relative_to(root)
    except ValueError:
        copy = None
    if copy is None or ".." in copy.parts:
        raise InputError(f"{path} is not below data_root ({root}), so it cannot travel with a job")
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, copy)


def _copy_code(folder: Path) -> None:
    here = Path(__file__).parents[1]
    for package in (*SHIPPED, "experiments"):
        shutil.copytree(here / package, folder / package, ignore=NOT_CODE)


def run_job(job: StudyJob, address: str, say: Callable[[str], None]) -> int:
    """Submit ``job`` and pass on what it prints; the exit code of its driver.

    After Ctrl-C the job is stopped; what is done stays in the store.

    Args:
        job: See :func:`pack_study`.
        address: Of the dashboard; a token comes from ``RAY_AUTH_TOKEN`` or ``~/.ray/auth_token``.
        say: Prints.

    Raises:
        InputError: Nobody answers at ``address``, or it refuses the token.
    """
    from ray.exceptions import AuthenticationError
    from ray.job_submission import JobSubmissionClient

    try:
        client = JobSubmissionClient(address)
        name = client.submit_job(
            entrypoint=job.entrypoint, runtime_env={"working_dir": str(job.folder)}
        )
    except (ConnectionError, RuntimeError, AuthenticationError) as error:
        raise InputError(f"no Ray dashboard takes jobs at {address}: {error}") from None
    say(f"submitted as {name}; `ray job logs --address {address} --follow {name}` shows it, too\n")
    try:
        asyncio.run(_follow(client, name, say))
    except (KeyboardInterrupt, asyncio.CancelledError):
        client.stop_job(name)
        raise KeyboardInterrupt from None
    info = client.get_job_info(name)
    if info.driver_exit_code is None:
        say(f"{name} ended as {info.status}: {info.message}\n")
        return 1
    return int(info.driver_exit_code)


async def _follow(client: Any, name: str, say: Callable[[str], None]) -> None:
    async for lines in client.tail_job_logs(name):
        say(lines)

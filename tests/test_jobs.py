"""Studies as Ray jobs: what travels is the same study, and the job's exit code comes back."""

import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import xlwarm
from orchestrator.data_settings import FileSettings
from orchestrator.environment import is_job_address
from orchestrator.jobs import DATA, STUDY, StudyJob, pack_study, run_job
from orchestrator.plan import make_plan
from orchestrator.study import Study
from orchestrator.study_file import read_study
from projection.errors import InputError
from tests.studies import write_study

BUNDLED = Path("bundled:multilingual-e5-small")


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    folder.mkdir()
    return write_study(folder, BUNDLED, cluster={"address": "http://h:1"})


def _packed(study_file: Path, to: Path, *overrides: str) -> StudyJob:
    to.mkdir()
    return pack_study(read_study(study_file, overrides), to, store="/store", options=("--x", "1"))


def test_only_dashboards_take_jobs() -> None:
    assert is_job_address("http://127.0.0.1:8265")
    assert is_job_address("https://ray.example")
    assert not any(is_job_address(one) for one in (None, "auto", "h:6379", "ray://h:10001"))


def test_what_travels_is_the_same_study_on_the_clusters_own_address(
    study_file: Path, tmp_path: Path
) -> None:
    job = _packed(study_file, tmp_path / "job", "training.steps=7")
    there = read_study(job.folder / STUDY)
    assert there.cluster.address == "auto"
    assert there.cluster.code == "installed"
    here = make_plan(read_study(study_file, ["training.steps=7"]))
    study_file.parent.rename(tmp_path / "gone")
    assert make_plan(there).fingerprint == here.fingerprint


def test_the_packed_code_runs_by_itself(study_file: Path, tmp_path: Path) -> None:
    job = _packed(study_file, tmp_path / "job")
    assert job.entrypoint == "python -m orchestrator.cli run study.yaml --store /store --x 1"
    assert not list(job.folder.rglob("*.pyc"))
    shown = subprocess.run(
        [
            sys.executable,
            "-c",
            "import experiments.run, orchestrator; print(orchestrator.__file__)",
        ],
        cwd=job.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(shown.stdout.strip()).is_relative_to(job.folder)


def test_a_job_is_given_the_options_of_the_run_that_submits_it(
    study_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[StudyJob] = []
    monkeypatch.setattr("orchestrator.jobs.run_job", lambda job, *_: jobs.append(job) or 0)
    options = ["--store", "/store", "--tracking", "http://m:5000", "--missing"]
    xlwarm.main(["run", str(study_file), *options], standalone_mode=False)
    assert jobs[0].entrypoint.endswith(
        "run study.yaml --store /store --tracking http://m:5000 --missing"
    )


def test_installed_code_does_not_travel(study_file: Path, tmp_path: Path) -> None:
    job = _packed(study_file, tmp_path / "job", "cluster.code=installed")
    assert sorted(path.name for path in job.folder.iterdir()) == [DATA, STUDY]


def test_paths_that_mean_nothing_on_the_cluster_are_refused(
    study_file: Path, tmp_path: Path, tiny_xlmr: Path
) -> None:
    study = read_study(study_file)
    with pytest.raises(InputError, match="--store store is relative to this machine"):
        pack_study(study, tmp_path, store="store")
    local = read_study(study_file, [f"backbone.name={tiny_xlmr}"])
    with pytest.raises(InputError, match="is a folder of this machine"):
        pack_study(local, tmp_path, store="s3://bucket/store")
    stray = study.model_copy(update={"data_root": study.data_root / "deeper"})
    stray = stray.model_copy(
        update={"data": study.data.model_copy(update={"train": _above(study)})}
    )
    with pytest.raises(InputError, match="is not below data_root"):
        pack_study(stray, tmp_path, store="/store")


def _above(study: Study) -> FileSettings:
    """The training file, as seen from a folder below its own."""
    return study.data.train.model_copy(update={"path": ("../en.train.conll",)})


class Dashboard:
    """Answers as Ray's JobSubmissionClient does."""

    def __init__(self, code: int | None, *, interrupt: bool = False) -> None:
        self.asked: dict[str, Any] = {}
        self.stopped: list[str] = []
        self.driver_exit_code, self.status, self.message = code, "FAILED", "the head died"
        self._interrupt = interrupt

    def __call__(self, address: str) -> "Dashboard":
        self.asked["address"] = address
        return self

    def submit_job(self, **asked: Any) -> str:
        self.asked |= asked
        return "job-1"

    async def tail_job_logs(self, name: str) -> AsyncIterator[str]:
        yield "start\n"
        if self._interrupt:
            signal.raise_signal(signal.SIGINT)
        yield "done\n"

    def get_job_info(self, name: str) -> "Dashboard":
        return self

    def stop_job(self, name: str) -> None:
        self.stopped.append(name)


def _run(monkeypatch: pytest.MonkeyPatch, dashboard: Dashboard) -> tuple[int, str]:
    monkeypatch.setattr("ray.job_submission.JobSubmissionClient", dashboard)
    said: list[str] = []
    code = run_job(StudyJob(Path("/packed"), ("--store", "/s")), "http://h:8265", said.append)
    return code, "".join(said)


@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_job_ends_with_the_exit_code_of_its_driver_after_all_that_it_printed(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dashboard = Dashboard(code)
    found, said = _run(monkeypatch, dashboard)
    assert found == code
    assert said.endswith("start\ndone\n")
    assert dashboard.asked["address"] == "http://h:8265"
    assert dashboard.asked["runtime_env"] == {"working_dir": "/packed"}


def test_a_job_whose_driver_was_lost_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = _run(monkeypatch, Dashboard(None))
    assert code == 1
    assert "job-1 ended as FAILED: the head died" in said


def test_an_interrupt_stops_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    dashboard = Dashboard(0, interrupt=True)
    with pytest.raises(KeyboardInterrupt):
        _run(monkeypatch, dashboard)
    assert dashboard.stopped == ["job-1"]

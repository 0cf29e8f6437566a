"""deploy/: the RayJob against a schema of its fields, the Slurm script by dry runs."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from orchestrator.study_file import read_study
from tests.studies import write_study

DEPLOY = Path(__file__).parents[1] / "deploy"
SLURM = DEPLOY / "slurm.sbatch"

POD = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["containers", "volumes"],
            "additionalProperties": False,
            "properties": {
                "containers": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["name", "image", "resources", "volumeMounts"],
                        "properties": {
                            "name": {"type": "string"},
                            "image": {"type": "string"},
                            "resources": {"type": "object", "required": ["limits", "requests"]},
                            "volumeMounts": {
                                "type": "array",
                                "items": {"type": "object", "required": ["name", "mountPath"]},
                            },
                        },
                    },
                },
                "volumes": {"type": "array", "items": {"type": "object", "required": ["name"]}},
            },
        }
    },
}
GROUP = {
    "type": "object",
    "required": ["rayStartParams", "template"],
    "additionalProperties": False,
    "properties": {
        "groupName": {"type": "string"},
        "replicas": {"type": "integer", "minimum": 0},
        "minReplicas": {"type": "integer", "minimum": 0},
        "maxReplicas": {"type": "integer", "minimum": 0},
        "rayStartParams": {"type": "object", "additionalProperties": {"type": "string"}},
        "template": POD,
    },
}
RAYJOB = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "additionalProperties": False,
    "properties": {
        "apiVersion": {"const": "ray.io/v1"},
        "kind": {"const": "RayJob"},
        "metadata": {"type": "object", "required": ["name"]},
        "spec": {
            "type": "object",
            "required": ["entrypoint", "rayClusterSpec"],
            "additionalProperties": False,
            "properties": {
                "entrypoint": {"type": "string"},
                "submissionMode": {"enum": ["K8sJobMode", "HTTPMode", "SidecarMode"]},
                "backoffLimit": {"type": "integer", "minimum": 0},
                "shutdownAfterJobFinishes": {"type": "boolean"},
                "ttlSecondsAfterFinished": {"type": "integer", "minimum": 0},
                "rayClusterSpec": {
                    "type": "object",
                    "required": ["rayVersion", "headGroupSpec", "workerGroupSpecs"],
                    "additionalProperties": False,
                    "properties": {
                        "rayVersion": {"type": "string"},
                        "authOptions": {
                            "type": "object",
                            "properties": {"mode": {"enum": ["disabled", "token"]}},
                        },
                        "headGroupSpec": GROUP,
                        "workerGroupSpecs": {"type": "array", "minItems": 1, "items": GROUP},
                    },
                },
            },
        },
    },
}
"""Fields of KubeRay's RayJob (API reference, v1.6) that the file uses; any other is a mistake."""


@pytest.fixture(scope="module")
def rayjob() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DEPLOY / "kuberay-rayjob.yaml").read_text())
    return content


def _groups(rayjob: dict[str, Any]) -> list[dict[str, Any]]:
    spec = rayjob["spec"]["rayClusterSpec"]
    return [spec["headGroupSpec"], *spec["workerGroupSpecs"]]


def test_the_rayjob_has_the_fields_of_kuberays_schema_and_no_others(
    rayjob: dict[str, Any],
) -> None:
    assert [error.message for error in Draft202012Validator(RAYJOB).iter_errors(rayjob)] == []


def test_every_mount_of_a_pod_has_its_volume_and_the_store_is_on_all_of_them(
    rayjob: dict[str, Any],
) -> None:
    for group in _groups(rayjob):
        pod = group["template"]["spec"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
            assert set(mounts.values()) <= volumes
            assert "/shared" in mounts


def test_the_rayjob_runs_the_ray_that_is_pinned_with_authentication_on_a_fixed_number_of_nodes(
    rayjob: dict[str, Any],
) -> None:
    spec = rayjob["spec"]["rayClusterSpec"]
    pins = (DEPLOY.parent / "constraints.txt").read_text()
    assert f"\nray=={spec['rayVersion']}\n" in pins
    assert spec["authOptions"]["mode"] == "token"
    for group in spec["workerGroupSpecs"]:
        assert group["replicas"] == group["minReplicas"] == group["maxReplicas"]


def test_the_entrypoint_sets_what_a_study_knows(
    rayjob: dict[str, Any], tmp_path: Path, tiny_bert: Path
) -> None:
    settings = re.findall(r"--set (\S+)", rayjob["spec"]["entrypoint"])
    overrides = [one for one in settings if not one.startswith("data_root")]
    study = read_study(write_study(tmp_path, tiny_bert), overrides)
    assert study.cluster.code == "installed"


STUB = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >> "$CALLS"
case "$(basename "$0")" in
    scontrol) printf 'n1\\nn2\\nn3\\n' ;;
    srun) exec sleep 60 ;;
    xlwarm)
        trap 'exit 130' INT
        until [ "$(grep -c ^srun "$CALLS")" = 3 ]; do sleep 0.1; done  # started in the background
        echo "token ${#RAY_AUTH_TOKEN} $RAY_AUTH_MODE" >> "$CALLS"
        for _ in $(seq "${XLWARM_TENTHS:-0}"); do sleep 0.1; done
        exit "${XLWARM_CODE:-0}" ;;
esac
"""


def _sbatch(folder: Path, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
    """The script under a Slurm that only writes down what it is asked."""
    programs = folder / "bin"
    programs.mkdir()
    for name in ("scontrol", "srun", "ray", "xlwarm"):
        (programs / name).write_text(STUB)
        (programs / name).chmod(0o755)
    job = {"SLURM_JOB_NODELIST": "n[1-3]", "SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "8"}
    return subprocess.Popen(
        ["bash", str(SLURM), *arguments],
        env=os.environ
        | job
        | {"PATH": f"{programs}:{os.environ['PATH']}", "CALLS": str(folder / "calls")}
        | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_the_slurm_script_is_bash_and_asks_for_what_its_commands_use() -> None:
    assert subprocess.run(["bash", "-n", str(SLURM)], check=False).returncode == 0
    if shutil.which("shellcheck"):
        assert subprocess.run(["shellcheck", str(SLURM)], check=False).returncode == 0
    asked = re.findall(r"^#SBATCH (--[\w-]+)", SLURM.read_text(), flags=re.MULTILINE)
    assert {"--nodes", "--ntasks-per-node", "--time", "--signal", "--requeue"} <= set(asked)


def test_the_slurm_script_starts_one_ray_a_node_then_the_driver_and_ends_with_its_code(
    tmp_path: Path,
) -> None:
    done = _sbatch(tmp_path, "s.yaml", "/store", "--only", "mtl-ws", XLWARM_CODE="1")
    output, _ = done.communicate(timeout=60)
    assert done.returncode == 1, output
    calls = (tmp_path / "calls").read_text().splitlines()
    started = {
        re.search(r"--nodelist=(\w+)", call)[1]: call  # type: ignore[index]
        for call in calls
        if call.startswith("srun")
    }
    assert set(started) == {"n1", "n2", "n3"}
    assert "--head --node-ip-address=n1 --port=20007" in started["n1"]
    for node in ("n2", "n3"):
        assert "ray start --address=n1:20007 --num-cpus=8 --num-gpus=0" in started[node]
    assert "xlwarm run s.yaml --store /store --address n1:20007 --only mtl-ws" in calls
    assert "token 64 token" in calls


def test_the_slurm_script_passes_the_signal_before_the_time_limit_on_to_the_driver(
    tmp_path: Path,
) -> None:
    job = _sbatch(tmp_path, "s.yaml", "/store", XLWARM_TENTHS="300")
    deadline = time.monotonic() + 60
    while "token 64" not in _text(tmp_path / "calls") and time.monotonic() < deadline:
        time.sleep(0.05)
    job.send_signal(signal.SIGINT)
    job.communicate(timeout=30)
    assert job.returncode == 130


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_the_slurm_script_says_how_it_is_called(tmp_path: Path) -> None:
    job = _sbatch(tmp_path, "s.yaml")
    output, _ = job.communicate(timeout=30)
    assert job.returncode == 2
    assert "usage: sbatch" in output

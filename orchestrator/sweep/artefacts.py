"""The report of a sweep beside the sweep's run in MLflow."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient

from orchestrator.mlflow_runs import quiet_mlflow
from orchestrator.sweep.records import Sweep
from projection.errors import InputError

FOLDER = "report"
"""Of the run's artefacts; what is there is replaced."""


def log_report(uri: str, sweep: Sweep, files: Mapping[str, str | bytes]) -> str:
    """Put ``files`` beside the run of ``sweep``; returns its id.

    Raises:
        InputError: There is no such run.
    """
    quiet_mlflow()
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(sweep.study)
    which = f"tags.`xlwarm.kind` = 'sweep' and tags.`xlwarm.fingerprint` = '{sweep.fingerprint}'"
    found = client.search_runs([experiment.experiment_id], which) if experiment else []
    if not found:
        raise InputError(
            f"MLflow at {uri} has no run of the sweep {sweep.fingerprint[:12]} of {sweep.study}; "
            "`xlwarm sweep` logs it there, also when nothing is left to compute"
        )
    run: str = found[0].info.run_id
    log_files(client, run, files)
    return run


def log_files(client: MlflowClient, run: str, files: Mapping[str, str | bytes]) -> None:
    """Texts and pictures, by name, as artefacts of ``run``."""
    with TemporaryDirectory(prefix="xlwarm-report-") as folder:
        for name, content in files.items():
            path = Path(folder) / name
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        client.log_artifacts(run, folder, FOLDER)

"""Where MLflow is, and which results of a study it has; asking never makes a database or a run."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

RESULT_RUNS = "tags.`xlwarm.kind` = 'result' and attributes.status = 'FINISHED'"


def default_tracking(store: Path) -> str:
    """The tracking database that lies in the store."""
    return f"sqlite:///{store / 'mlflow.db'}"


def logged_results(uri: str, experiment: str) -> frozenset[str]:
    """Fingerprints of the result runs of a study that are finished.

    Args:
        uri: Of the tracking server or database; one that does not exist has no runs.
        experiment: The study's name.

    Raises:
        Exception: Whatever MLflow raises where a server is away.
    """
    if is_missing_database(uri):
        return frozenset()
    from mlflow import MlflowClient

    from orchestrator.mlflow_runs import all_runs, quiet_mlflow

    quiet_mlflow()
    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return frozenset()
    runs = all_runs(client, str(found.experiment_id), RESULT_RUNS)
    return frozenset(run.data.tags["xlwarm.fingerprint"] for run in runs)


def is_missing_database(uri: str) -> bool:
    """True for an SQLite file that is not there, which MLflow would make.

    >>> is_missing_database("sqlite:////no/such/mlflow.db")
    True
    >>> is_missing_database("http://127.0.0.1:5000")
    False
    """
    parts = urlsplit(uri)
    # sqlite:///relative and sqlite:////absolute: one slash belongs to the URI.
    return parts.scheme == "sqlite" and not Path(unquote(parts.path)[1:]).is_file()

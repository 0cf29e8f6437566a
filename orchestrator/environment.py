"""What must be known before Ray is imported: it reads its environment variables then."""

import os
from pathlib import Path


def prepare_ray(address: str | None) -> None:
    """Set Ray's defaults for a study that runs at ``address`` (None: on this machine alone)."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Else Ray builds the driver's `uv run` environment anew for every worker.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    if address is None:
        # Ray's switch, named after its main use, for listening on the loopback interface only.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    elif _has_token():
        # Else Ray Client and Ray jobs do not show the token that they have.
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def prepare_tune() -> None:
    """Leave to Tune what it decides, and nothing that the store or MLflow does better."""
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    # Its own state is written at the end only: a sweep goes on from the store.
    os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "1000000")


def _has_token() -> bool:
    """True if a token lies where Ray looks for one."""
    named = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & set(os.environ)
    return bool(named) or (Path.home() / ".ray" / "auth_token").is_file()


def is_job_address(address: str | None) -> bool:
    """True for the address of a dashboard, to which a study is submitted as a job."""
    return address is not None and address.startswith(("http://", "https://"))

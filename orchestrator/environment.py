"""What must be known before Ray is imported: it reads its environment variables then."""

import os


def prepare_ray(address: str | None) -> None:
    """Set Ray's defaults for a study that runs at ``address`` (None: on this machine alone)."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Else Ray builds the driver's `uv run` environment anew for every worker.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    if address is None:
        # Ray's switch, named after its main use, for listening on the loopback interface only.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")


def is_job_address(address: str | None) -> bool:
    """True for the address of a dashboard, to which a study is submitted as a job."""
    return address is not None and address.startswith(("http://", "https://"))

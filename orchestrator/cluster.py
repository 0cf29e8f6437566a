"""Ray: start a cluster or join one, with this code on its workers and the store in their sight."""

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray
from ray.exceptions import AuthenticationError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from tenacity import RetryError, Retrying, retry_if_exception, stop_after_attempt

from orchestrator.store import StepStore
from projection.errors import InputError

NAMESPACE = "xlwarm"
"""Of everything here that Ray knows by name."""

STARTS, SLOW_START = 3, "timed out during startup"
"""Attempts to start Ray here, and what Ray says when it took too long."""

SHIPPED = ("projection", "trainers", "orchestrator")
"""Packages that a worker imports."""


@contextmanager
def cluster(
    address: str | None = None, *, num_cpus: int | None = None, ship_code: bool = True
) -> Iterator[None]:
    """A connection to the Ray cluster at ``address``, or a cluster of its own on this machine.

    :func:`~orchestrator.environment.prepare_ray` must have been called before Ray was imported.

    Args:
        address: ``auto``, ``host:port`` or ``ray://host:port``; None for this machine alone.
        num_cpus: Of this machine, where it is alone; None for all.
        ship_code: Send the driver's own code to the workers of a cluster that runs already. If
            not, xlwarm must be installed on every node, in this very version.

    Raises:
        InputError: Nobody answers at ``address``, or this machine is too busy to start Ray.
    """
    settings: dict[str, Any] = {"log_to_driver": False, "namespace": NAMESPACE}
    if address is None:
        settings |= {"address": "local", "num_cpus": num_cpus, "include_dashboard": False}
    else:
        settings |= {"address": address}
        if ship_code:
            settings |= {"runtime_env": {"py_modules": [str(path) for path in code_folders()]}}
    try:
        with interrupts_later():
            _init(settings)
    except (ConnectionError, ValueError, RuntimeError, AuthenticationError) as error:
        raise InputError(f"no Ray cluster at {address}: {error}") from None
    try:
        yield
    finally:
        with interrupts_later():
            ray.shutdown()


def _init(settings: Mapping[str, Any]) -> None:
    """``ray.init``, again if a busy machine has not started a node within Ray's fixed 30 s."""
    attempts = Retrying(
        stop=stop_after_attempt(STARTS),
        retry=retry_if_exception(lambda error: SLOW_START in str(error)),
        before_sleep=lambda _attempt: ray.shutdown(),
    )
    try:
        attempts(ray.init, **settings)
    except RetryError:
        raise InputError(
            f"Ray did not start on this machine, {STARTS} times within 30 s each: too much else "
            "runs here; wait until it is done, and give the command again"
        ) from None


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Let Ctrl-C wait until the context ends: Ray's native code may crash in its midst."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt


def code_folders() -> list[Path]:
    """Where the packages are that workers import."""
    return [Path(str(import_module(name).__file__)).parent for name in SHIPPED]


def check_store(store: StepStore) -> None:
    """Refuse a store that some node does not see.

    Raises:
        InputError: Names the nodes, and says what to do.
    """
    token = f"logs/.seen-{uuid4().hex}"
    store.files.write(token, b"")
    try:
        looks = {
            node["NodeManagerAddress"]: _sees.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote(store, token)
            for node in ray.nodes()
            if node["Alive"]
        }
        blind = [address for address, seen in looks.items() if not ray.get(seen)]
    finally:
        store.files.remove(token)
    if blind:
        raise InputError(
            f"the store {store.location} is not there on the nodes {', '.join(sorted(blind))}; put "
            "it on a file system that all nodes mount under the same path, or behind a URI that "
            "all nodes can reach (docs/store.md)"
        )


@ray.remote(num_cpus=0)
def _sees(store: StepStore, token: str) -> bool:
    return store.files.exists(token)

"""Fixtures for all tests: tiny checkpoints, the real data where it is, one Ray cluster."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import fsspec
import pytest
import torch
from hypothesis import HealthCheck, settings

from orchestrator.store import StepStore
from tests.stores import STORES, store_location
from tests.tiny import build_tiny_bert, build_tiny_xlmr

if TYPE_CHECKING:
    from tests.finished import MadeUp
    from tests.tracked import Tracked

DATA_VARIABLE = "XLWARM_DATA"
DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data"

# The machine may be busy, so no example is too slow and no generator either.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# Ray's workers would yield to the tests that run beside them, until theirs time out.
os.environ.setdefault("RAY_worker_niceness", "0")


@pytest.fixture(autouse=True, scope="session")
def _interruptible() -> None:
    """A shell starts background jobs deaf to SIGINT, and they hand that on to what they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_bert(tmp_path_factory.mktemp("tiny-bert"))


@pytest.fixture(scope="session")
def tiny_xlmr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_xlmr(tmp_path_factory.mktemp("tiny-xlmr"))


@pytest.fixture(params=["bert", "xlmr"])
def tiny(request: pytest.FixtureRequest) -> Path:
    """Each of the two families in turn."""
    folder: Path = request.getfixturevalue(f"tiny_{request.param}")
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real corpora (``$XLWARM_DATA``); tests are skipped where there is none."""
    folder = Path(os.environ.get(DATA_VARIABLE, DEFAULT_DATA))
    if not (folder / "ner").is_dir():
        pytest.skip(f"no real corpora at {folder}; set {DATA_VARIABLE}")
    return folder


@pytest.fixture
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work and cache of stores lie in the folder of the test; nothing settles for seconds."""
    monkeypatch.setenv("XLWARM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XLWARM_WORK", str(tmp_path / "work"))
    monkeypatch.setattr("orchestrator.store.remote.SETTLE_SECONDS", 0.0)


@pytest.fixture(params=STORES)
def any_store(
    request: pytest.FixtureRequest, own_places: None, tmp_path: Path
) -> Iterator[StepStore]:
    """An empty store of each kind in turn."""
    yield StepStore(store_location(request.param, tmp_path))
    fsspec.filesystem("memory").store.clear()


@pytest.fixture(scope="session")
def new_tracking(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], str]:
    """Puts MLflow's database without any run into a folder; what it is called with, and its URI.

    It is a copy: MLflow takes seconds to make one, going through all its migrations.
    """
    from mlflow import MlflowClient

    empty = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{empty}").search_experiments()

    def put(folder: Path) -> str:
        folder.mkdir(exist_ok=True)
        return f"sqlite:///{shutil.copy(empty, folder / 'mlflow.db')}"

    return put


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """One Ray cluster of two (logical) cores for all tests."""
    from orchestrator.environment import prepare_ray

    prepare_ray(None)

    from orchestrator.cluster import cluster

    with cluster(num_cpus=2):
        yield


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> "MadeUp":
    """A finished and a half-done study that nobody trained."""
    from tests.finished import make_up

    return make_up(tmp_path_factory.mktemp("made-up"), tiny_bert)


@pytest.fixture(scope="session")
def tracked(
    tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path, new_tracking: Callable[[Path], str]
) -> "Tracked":
    """A study of three strategies that was trained and logged."""
    from tests.tracked import track

    return track(tmp_path_factory.mktemp("tracked"), tiny_bert, new_tracking)

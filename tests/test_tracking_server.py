"""MLflow behind a server: what an outage in the middle of a study costs, and what it may not."""

import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from mlflow import MlflowClient

from orchestrator.execute import run_steps
from orchestrator.local import InProcessLauncher
from orchestrator.plan import Plan, make_plan
from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from orchestrator.tracking import BackgroundTracking, Tracker
from tests.mlflow_servers import MlflowServer
from tests.postgres import postgres
from tests.studies import write_study

pytestmark = pytest.mark.slow

TEXTS = {"report.md": "# table"}


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "120")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Plan:
    folder = tmp_path_factory.mktemp("study")
    study = write_study(folder, tiny_bert, strategies=["zero-shot"], targets=["es", "de"])
    return make_plan(read_study(study))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, plan: Plan) -> StepStore:
    store = StepStore(tmp_path_factory.mktemp("store"))
    assert not run_steps(plan.steps, store, InProcessLauncher(store.root), []).failed
    return store


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    server = MlflowServer(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.kill()


def named(plan: Plan, name: str) -> Plan:
    """The same study as an experiment of another name."""
    return Plan(plan.study.model_copy(update={"name": name}), plan.specs, plan.steps)


def counts(uri: str, experiment: str) -> dict[str, object]:
    """What there is of an experiment: runs by kind and status, points, parameters, artefacts."""
    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    runs = client.search_runs([found.experiment_id])
    histories = {
        (run.data.tags["xlwarm.fingerprint"], name): len(
            client.get_metric_history(run.info.run_id, name)
        )
        for run in runs
        for name in run.data.metrics
        if not name.startswith("system/")
    }
    return {
        "runs": Counter((run.data.tags["xlwarm.kind"], run.info.status) for run in runs),
        "points": sum(histories.values()),
        "params": sum(len(run.data.params) for run in runs),
        "datasets": sum(len(run.inputs.dataset_inputs) for run in runs),
        "artefacts": sum(len(client.list_artifacts(run.info.run_id)) for run in runs),
    }


def expected(plan: Plan, store: StepStore, server: MlflowServer) -> dict[str, object]:
    """Of a study that was logged without any trouble."""
    Tracker(named(plan, "quiet"), store, server.uri).finish("FINISHED", TEXTS)
    found = counts(server.uri, "quiet")
    assert found["runs"] == {
        ("study", "FINISHED"): 1,
        ("model", "FINISHED"): 1,
        ("result", "FINISHED"): 2,
        ("aggregate", "FINISHED"): 3,  # two languages and their average
    }
    return found


def test_a_server_that_dies_in_the_middle_costs_nothing_once_it_is_back_and_synced(
    plan: Plan, store: StepStore, server: MlflowServer
) -> None:
    complete = expected(plan, store, server)
    outage = named(plan, "outage")
    tracking = BackgroundTracking(outage, store, server.uri)
    finished = [step for step in plan.steps if step.kind in ("finetune", "evaluate")]
    half = 2  # the model and its first test
    for step in finished[:half]:
        tracking.finished(step)
    logged = Event()
    tracking._log.submit(logged.set)
    assert logged.wait(60)
    before = counts(server.uri, "outage")
    server.kill()
    for step in finished[half:]:
        tracking.finished(step)
    tracking.close("FINISHED", TEXTS)
    assert tracking.problem is not None
    server.start()
    assert counts(server.uri, "outage")["runs"] == before["runs"]
    Tracker(outage, store, server.uri).finish("FINISHED", TEXTS)
    assert counts(server.uri, "outage") == complete
    assert before != complete


class Faulty(BaseHTTPRequestHandler):
    """Hands requests on to a server, and answers some of them with an error of its own.

    Every third request is refused; every fifth is handed on but its answer is lost.
    """

    target = ""
    seen = 0
    faults = True

    def do_GET(self) -> None:
        type(self).seen += 1
        fate = self.seen if self.faults else 1
        status, body = (503, b"busy") if fate % 3 == 0 else self._handed_on()
        if fate % 5 == 0:
            status, body = 500, b"lost"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PATCH = do_PUT = do_GET  # noqa: N815

    def _handed_on(self) -> tuple[int, bytes]:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        request = Request(self.target + self.path, body, method=self.command)
        request.add_header("Content-Type", self.headers.get("Content-Type", "application/json"))
        try:
            with urlopen(request, timeout=30) as answer:
                return int(answer.status), answer.read()
        except HTTPError as error:
            return error.code, error.read()

    def log_message(self, *_: object) -> None:
        """Quietly."""


def test_requests_that_fail_or_lose_their_answer_never_double_a_run(
    plan: Plan, store: StepStore, server: MlflowServer
) -> None:
    complete = expected(plan, store, server)
    handler = type("Handler", (Faulty,), {"target": server.uri})
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    uri = f"http://127.0.0.1:{proxy.server_port}"
    faulty = named(plan, "faulty")
    try:
        for _ in range(3):
            tracking = BackgroundTracking(faulty, store, uri)
            tracking.close("FINISHED", TEXTS)
            assert tracking.problem is not None
    finally:
        proxy.shutdown()
        proxy.server_close()
    Tracker(faulty, store, server.uri).finish("FINISHED", TEXTS)
    assert counts(server.uri, "faulty") == complete


PASSWORDS = """\
[mlflow]
default_permission = READ
database_uri = sqlite:///{folder}/auth.db
admin_username = admin
admin_password = long enough for it
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 600
"""
"""Without the cache, every request would hash the password anew."""


def test_postgresql_behind_a_server_with_passwords_shows_what_sqlite_shows(
    plan: Plan,
    store: StepStore,
    server: MlflowServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("flask_wtf", reason="no basic auth in MLflow; pip install mlflow[auth]")
    complete = expected(plan, store, server)
    (tmp_path / "auth.ini").write_text(PASSWORDS.format(folder=tmp_path))
    secrets = {
        "MLFLOW_AUTH_CONFIG_PATH": str(tmp_path / "auth.ini"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "key",
    }
    with postgres() as database:
        guarded = MlflowServer(tmp_path, database, ("--app-name", "basic-auth"), secrets)
        guarded.start()
        try:
            refused = BackgroundTracking(plan, store, guarded.uri)
            refused.close("FINISHED", TEXTS)
            assert refused.problem is not None
            monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
            monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "long enough for it")
            Tracker(plan, store, guarded.uri).finish("FINISHED", TEXTS)
            assert counts(guarded.uri, plan.study.name) == complete
        finally:
            guarded.kill()

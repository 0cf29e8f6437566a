"""What readers see, in a real browser: the report and the audit from disk, MLflow's dashboard."""

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator.results import training_curve
from orchestrator.steps.project import AUDIT_PAGE
from tests.browsers import DESKTOP, PHONE, Browser, chromium
from tests.finished import MadeUp, reported
from tests.mlflow_servers import Server, free_port
from tests.tracked import Tracked

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, made_up: MadeUp) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    reported(made_up.file, made_up.done, "--format", "html", "--out", str(path))
    return path


@pytest.fixture(scope="module")
def audit(tracked: Tracked) -> Path:
    projection = tracked.plan.specs[0].model.encoding.projections[0]
    return tracked.store.folder(projection) / AUDIT_PAGE


@pytest.mark.parametrize("page", ["report", "audit"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_page_from_disk_wants_nothing_else_has_no_complaint_and_fits_the_window(
    browser: Browser, page: str, size: tuple[int, int], request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(page).as_uri()
    browser.open(url, size)
    browser.picture(f"{page}-{size[0]}.png")
    assert browser.requests() == [url]
    assert browser.complaints() == []
    assert browser.script("return innerWidth") == size[0]
    assert browser.script("return document.documentElement.scrollWidth") <= size[0]


def test_every_table_of_the_report_sorts_by_every_column_of_numbers(
    browser: Browser, report: Path
) -> None:
    browser.open(report.as_uri())
    tables = browser.all("table")
    assert len(tables) > 5
    for table in tables:
        columns = browser.script(COLUMNS_OF_NUMBERS, table)
        assert columns
        for column in columns:
            falling, rising = (browser.script(SORTED, table, column) for _ in range(2))
            assert all(one >= other for one, other in pairwise(falling))
            assert rising == sorted(falling)


COLUMNS_OF_NUMBERS = """
const rows = [...arguments[0].tBodies[0].rows];
const numbers = (k) => rows.every((row) => row.cells[k].dataset.value !== undefined);
return [...arguments[0].tHead.rows[0].cells].map((_, k) => k).filter(numbers);
"""
SORTED = """
const [table, k] = arguments;
table.tHead.rows[0].cells[k].firstElementChild.click();
return [...table.tBodies[0].rows].map((row) => Number(row.cells[k].dataset.value));
"""


def test_a_click_on_a_heading_sorts_and_says_so(browser: Browser, report: Path) -> None:
    browser.open(report.as_uri())
    (heading,) = browser.all("[aria-labelledby=caption-scores] thead th:nth-child(5) button")
    assert heading.text == "avg"
    heading.click()
    (sorted_by,) = browser.all("table [aria-sort]")
    assert (sorted_by.text, sorted_by.get_attribute("aria-sort")) == ("avg", "descending")


def test_every_figure_of_the_report_is_drawn(browser: Browser, report: Path) -> None:
    browser.open(report.as_uri())
    heights = browser.script(
        "return [...document.querySelectorAll('figure svg')].map("
        "(one) => one.getBoundingClientRect().height)"
    )
    assert len(heights) == 13  # scores and differences 4 panels each, errors 3, curves 2
    assert min(heights) > 50


@pytest.fixture(scope="module")
def dashboard(tracked: Tracked, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of ``xlwarm ui`` on the store of a study that was trained."""
    port = free_port()
    command = [sys.executable, "-c", "from orchestrator.cli import main; main()"]
    command += ["ui", "--store", str(tracked.store.root), "--port", str(port)]
    root = str(Path(__file__).parents[1])
    server = Server(command, tmp_path_factory.mktemp("ui"), port, {"PYTHONPATH": root})
    server.start()
    yield server.uri
    server.kill()


def _run_names(browser: Browser) -> list[str]:
    return [link.text for link in browser.all(".ag-row a")]


def test_the_dashboard_opens_a_study_on_its_runs_nested_under_it(
    browser: Browser, dashboard: str, tracked: Tracked
) -> None:
    browser.open(f"{dashboard}{tracked.runs_page}")
    browser.until(lambda: _run_names(browser) == ["tiny"], "the run of the study alone")
    browser.until(lambda: browser.all(".ag-row button"), "a button that unfolds it")[0].click()
    browser.until(lambda: {"tiny", "mtl-ws-seed1"} < set(_run_names(browser)), "its models")
    browser.picture("mlflow-runs.png")
    names = _run_names(browser)
    assert {"zero-shot-seed1", "target-only-es-seed1", "target-only-de-seed1"} < set(names)
    assert "mtl-ws-seed1-es" not in names  # it is a level further down


def test_the_dashboard_draws_the_dev_curve_of_a_model(
    browser: Browser, dashboard: str, tracked: Tracked
) -> None:
    spec = next(one for one in tracked.plan.specs if one.strategy == "mtl-ws")
    browser.open(f"{dashboard}{tracked.page('model', spec.fingerprint)}/model-metrics")
    drawn = browser.until(lambda: browser.script(CURVE, "dev_f1_by_step"), "the dev curve")
    browser.picture("mlflow-curves.png")
    curve = [point for point in training_curve(spec, tracked.store) if point["dev_f1"] is not None]
    assert drawn == [[one["step"] for one in curve], [one["dev_f1"] for one in curve]]


CURVE = """
const curves = [...document.querySelectorAll(".js-plotly-plot")].flatMap((one) => one.data ?? []);
const found = curves.find((one) => JSON.stringify(one).includes(arguments[0]));
return found && [[...found.x], [...found.y]];
"""


def test_the_dashboard_shows_the_artefacts_of_a_study(
    browser: Browser, dashboard: str, tracked: Tracked
) -> None:
    browser.open(f"{dashboard}{tracked.page('study', tracked.plan.fingerprint)}/artifacts")
    browser.until(lambda: "report.md" in browser.text(), "the report among the artefacts")
    browser.picture("mlflow-artefacts.png")
    assert "projection" in browser.text()

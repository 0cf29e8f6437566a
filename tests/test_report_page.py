"""The report as a page and as a LaTeX document: whole, safe, and right in a real browser."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from experiments.report import FORMATS
from experiments.reports.evidence import Evidence
from tests.finished import MadeUp, reported


@pytest.fixture(scope="module")
def page(made_up: MadeUp) -> str:
    return reported(made_up.file, made_up.done, "--format", "html").stdout


class _Page(HTMLParser):
    """What a page refers to, its ids, and how its headings nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.ids: list[str] = []
        self.captions = 0
        self.drawings = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.references += [
            value or ""
            for name, value in attrs
            if name in ("src", "href", "xlink:href", "action", "poster", "srcset")
        ]
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.captions += tag == "figcaption"
        self.drawings += tag == "svg"
        assert tag != "svg" or given.get("viewbox")


def test_the_page_needs_nothing_but_itself(page: str) -> None:
    found = _Page(page)
    assert all(one.startswith(("#", "data:")) for one in found.references)
    assert not re.search(r"url\((?!#)|@import|fetch\(", page)
    assert len(found.ids) == len(set(found.ids))
    assert {one[1:] for one in found.references if one.startswith("#")} <= set(found.ids)
    # Scores and differences have a panel a column, errors one a language, curves two.
    assert (found.captions, found.drawings) == (4, 4 + 4 + 3 + 2)
    assert "#123456" not in page


def test_names_of_a_study_are_no_markup_in_the_page(made_up: MadeUp) -> None:
    hostile = Evidence(made_up.plan, made_up.done, "xlwarm run '<script>alert(1)</script>'")
    assert "<script>alert" not in FORMATS["html"](hostile)


def test_a_report_made_again_is_the_same(page: str, made_up: MadeUp) -> None:
    assert reported(made_up.file, made_up.done, "--format", "html").stdout == page


LOOK = """<script>
const tables = [...document.querySelectorAll("table")];
const table = tables.find((one) => one.tHead.textContent.includes("avg"));
const [headings] = table.tHead.rows;
const column = [...headings.cells].findIndex((one) => one.textContent === "avg");
const values = () => [...table.tBodies[0].rows].map((row) => +row.cells[column].dataset.value);
const press = () => { headings.cells[column].firstChild.click(); return values(); };
const height = (one) => one.getBoundingClientRect().height;
document.body.dataset.seen = JSON.stringify({
  falling: press(),
  rising: press(),
  drawings: [...document.querySelectorAll("svg")].map(height),
  window: innerWidth,
  page: document.documentElement.scrollWidth,
});
</script>"""


@pytest.mark.slow
def test_in_a_browser_tables_sort_drawings_are_there_and_a_phone_is_wide_enough(
    page: str, tmp_path: Path
) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("no chromium")
    path = tmp_path / "report.html"
    path.write_text(page.replace("</body>", f"{LOOK}</body>"))
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    options += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=390,800", "--dump-dom"]
    shown = subprocess.run(
        [chromium, *options, path.as_uri()], capture_output=True, text=True, check=True, timeout=120
    )
    assert "CONSOLE" not in shown.stderr
    found = re.search(r'data-seen="([^"]*)"', shown.stdout)
    assert found
    seen = json.loads(found[1].replace("&quot;", '"'))
    assert all(one >= other for one, other in pairwise(seen["falling"]))
    assert seen["rising"] == seen["falling"][::-1]
    assert all(height > 50 for height in seen["drawings"])
    assert seen["page"] <= seen["window"] <= 500


def test_the_latex_document_compiles(tmp_path: Path, made_up: MadeUp) -> None:
    engine = shutil.which("pdflatex") or shutil.which("tectonic")
    if not engine:
        pytest.skip("neither pdflatex nor tectonic")
    path = tmp_path / "report.tex"
    assert not reported(
        made_up.file, made_up.half, "--format", "latex", "--out", str(path)
    ).exit_code
    options = ["-interaction=batchmode", "-halt-on-error"] if "pdflatex" in engine else []
    subprocess.run([engine, *options, path.name], cwd=tmp_path, check=True, timeout=120)
    assert (tmp_path / "report.pdf").stat().st_size > 10_000

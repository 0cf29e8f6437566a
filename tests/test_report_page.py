"""The report as a page and as a LaTeX document: whole and safe (in a browser: test_browser.py)."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from experiments.report import logged_page, rendered
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


def test_the_page_is_put_beside_a_study_in_mlflow_and_costs_nothing_if_it_cannot_be_made(
    made_up: MadeUp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make = logged_page("xlwarm run study.yaml")
    assert make(made_up.plan, made_up.half)["report.html"].startswith("<!doctype html>")
    monkeypatch.setattr("experiments.report.RENDERERS", {})
    assert make(made_up.plan, made_up.half) == {}
    assert "no report.html for MLflow (KeyError" in capsys.readouterr().err


def test_names_of_a_study_are_no_markup_in_the_page(made_up: MadeUp) -> None:
    hostile = Evidence(made_up.plan, made_up.done, "xlwarm run '<script>alert(1)</script>'")
    assert "<script>alert" not in rendered(hostile, "html")


def test_a_report_made_again_is_the_same(page: str, made_up: MadeUp) -> None:
    assert reported(made_up.file, made_up.done, "--format", "html").stdout == page


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

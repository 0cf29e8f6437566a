"""The results that the repository keeps: whole, without text, and what the pages say."""

import re
import zipfile
from pathlib import Path

import pytest

from orchestrator.predictions import COUNTED
from orchestrator.results_file import import_results
from orchestrator.store import DONE, RECORD, StepStore
from orchestrator.store.inventory import entries

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
ARCHIVES = sorted((RESULTS / "archive").glob("*.zip"))
PAGES = sorted(RESULTS.glob("*.md"))
ROW = re.compile(
    r"^\|[^|]+\|[^|]+\|[^|]+\| *(?P<f1>[\d.]+) \| *(?P<evaluate>[0-9a-f]{12}) \|", re.MULTILINE
)
"""Of a report's table of fingerprints: strategy, language, seed, F1, evaluate."""

NAME = r"^\|[ *`]*(?P<name>[\w~^+-]+)[*`]*(?: \([^|]*\))? *\|"
SCORES = re.compile(NAME + r".*\| *\**(?P<average>[\d.]+)\**†? *\| *[\d.]+ *\|$", re.MULTILINE)
"""Of a report's table of scores: strategy, languages, average, English dev."""

SUMMARY = re.compile(NAME + 3 * r" *\**([\d.]+)\** *\|" + "$", re.MULTILINE)
"""Of a table that somebody wrote: strategy, averages of NER, ABSA, SRL."""


@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: path.stem)
def test_the_scores_in_an_archive_are_those_on_its_page(path: Path, tmp_path: Path) -> None:
    [page] = [text for text in map(Path.read_text, PAGES) if f"archive/{path.name}" in text]
    shown = {row["evaluate"]: row["f1"] for row in ROW.finditer(page)}
    store = StepStore(tmp_path)
    import_results(path, store)
    tests = [entry for entry in entries(store) if entry.kind == "evaluate"]
    assert tests
    for test in tests:
        f1 = store.outputs(test)["micro"]["f1"]
        assert shown[test.fingerprint[:12]] == f"{f1:.2f}"


@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: path.stem)
def test_an_archive_holds_records_curves_and_counts_alone(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        names = {name.rpartition("/")[2] for name in archive.namelist()}
    own = {"results.json", RECORD, DONE, COUNTED}
    assert names <= own | {"counts.json", "curve.jsonl", "rounds.jsonl"}


@pytest.mark.parametrize("page", [RESULTS / "longer.md", RESULTS / "README.md", ROOT / "README.md"])
def test_averages_beside_each_other_are_those_of_the_reports(page: Path) -> None:
    _, *tasks = (RESULTS / "longer.md").read_text().split("\n## ")
    assert [task.partition("\n")[0] for task in tasks] == ["NER", "ABSA", "SRL"]
    tables = [task.partition("### Scores")[2].partition("###")[0] for task in tasks]
    reported = [{row["name"]: row["average"] for row in SCORES.finditer(one)} for one in tables]
    summary = {row["name"]: row.groups()[1:] for row in SUMMARY.finditer(page.read_text())}
    assert summary.keys() >= {"zero-shot", "multilingual", "mtl-ws", "multilingual^mtl-ws"}
    for name, averages in summary.items():
        assert averages == tuple(task[name] for task in reported), name

"""The results that the repository keeps: whole, without text, and what the pages say."""

import re
import zipfile
from pathlib import Path

import pytest

from orchestrator.predictions import COUNTED
from orchestrator.results_file import import_results
from orchestrator.store import DONE, RECORD, StepStore
from orchestrator.store.inventory import entries

RESULTS = Path(__file__).parents[1] / "docs" / "results"
ARCHIVES = sorted((RESULTS / "archive").glob("*.zip"))
ROW = re.compile(
    r"^\|[^|]+\|[^|]+\|[^|]+\| *(?P<f1>[\d.]+) \| *(?P<evaluate>[0-9a-f]{12}) \|", re.MULTILINE
)
"""Of a report's table of fingerprints: strategy, language, seed, F1, evaluate."""


@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: path.stem)
def test_the_scores_in_an_archive_are_those_on_its_page(path: Path, tmp_path: Path) -> None:
    page = (RESULTS / "longer.md").read_text()
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

from pathlib import Path

import pytest

from experiments.tables import render
from orchestrator.plan import Plan, make_plan
from orchestrator.results import AVERAGE, Cell, RunResult, cells
from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from tests.studies import write_study


def _result(strategy: str, seed: int, language: str, f1: float) -> RunResult:
    return RunResult(strategy, seed, language, f1, f1, f1, {}, 80.0, "")


def test_cells_are_means_over_seeds_and_an_average_needs_all_languages_of_a_seed() -> None:
    found = [
        _result("zero-shot", 1, "es", 60.0),
        _result("zero-shot", 2, "es", 64.0),
        _result("zero-shot", 1, "de", 50.0),
    ]
    table = cells(found, ["es", "de"])
    assert table["zero-shot", "es"] == Cell(62.0, pytest.approx(2.8284271), 2)
    assert table["zero-shot", "de"] == Cell(50.0, 0.0, 1)
    assert table["zero-shot", AVERAGE] == Cell(55.0, 0.0, 1)  # seed 2 has no German


def test_no_seed_with_all_languages_gives_no_average() -> None:
    found = [_result("zero-shot", 1, "es", 60.0), _result("zero-shot", 2, "de", 64.0)]
    assert ("zero-shot", AVERAGE) not in cells(found, ["es", "de"])


@pytest.fixture
def plan(tmp_path: Path, tiny_bert: Path) -> Plan:
    return make_plan(read_study(write_study(tmp_path, tiny_bert, seeds=[1, 2])))


def test_the_table_of_a_study_that_has_not_begun_is_all_dashes(plan: Plan, tmp_path: Path) -> None:
    text = render(plan, StepStore(tmp_path / "store"), "markdown")
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert [row.split("|")[1].strip() for row in rows] == list(plan.study.strategies)
    assert {cell.strip() for row in rows for cell in row.split("|")[2:-1]} == {"-"}
    assert "0 of 30 results done" in text.replace("\n", " ")


def test_the_best_of_a_column_is_bold_and_missing_seeds_are_said(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        _result("zero-shot", 1, "es", 60.0),
        _result("mtl-ws", 1, "es", 61.5),
        _result("mtl-ws", 2, "es", 62.5),
    ]
    monkeypatch.setattr("experiments.tables.results", lambda _plan, _store: found)
    text = render(plan, StepStore(tmp_path), "markdown")
    rows = {
        line.split("|")[1].strip(): line.split("|")[2].strip()
        for line in text.splitlines()
        if "|" in line
    }
    assert rows["mtl-ws"] == "**62.00** ± 0.71"
    assert rows["zero-shot"] == "60.00 (1 of 2 seeds)"

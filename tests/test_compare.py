"""``xlwarm compare``: several studies in one table."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from experiments.compare import compare
from orchestrator.results import results
from projection.errors import InputError
from tests.finished import MadeUp


def compared(made_up: MadeUp, *arguments: str | Path) -> Result:
    command = [*map(str, arguments), "--store", str(made_up.done.root)]
    return CliRunner().invoke(compare, command, catch_exceptions=False)


@pytest.fixture
def variant(made_up: MadeUp, tmp_path: Path) -> Path:
    """A study of two languages and two strategies of the made-up one: all done."""
    path = tmp_path / "variant.yaml"
    content = {"base": str(made_up.file), "name": "variant", "strategies": ["zero-shot", "mtl-ws"]}
    path.write_text(yaml.safe_dump(content | {"seeds": [2]}))
    return path


def test_a_row_for_every_strategy_of_every_study_with_the_best_of_all_in_bold(
    made_up: MadeUp, variant: Path
) -> None:
    done = compared(made_up, made_up.file, variant, "--format", "markdown")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in done.output.splitlines()
        if line.startswith("|")
    ]
    assert rows[0] == ["study", "strategy", "es", "de", "nl", "avg", "en dev"]
    names = [(row[0], row[1]) for row in rows[2:]]
    assert names == [
        *(("tiny", how) for how in made_up.plan.study.strategies),
        ("variant", "zero-shot"),
        ("variant", "mtl-ws"),
    ]
    [spanish] = [
        one.f1
        for one in results(made_up.plan, made_up.done)
        if (one.strategy, one.language, one.seed) == ("mtl-ws", "es", 2)
    ]
    assert rows[-1][2].strip("*") == f"{spanish:.2f}"
    for column in range(2, 6):
        scores = [float(row[column].strip("*").split()[0].strip("*")) for row in rows[2:]]
        bold = {k for k, row in enumerate(rows[2:]) if row[column].startswith("**")}
        assert {scores[k] for k in bold} == {max(scores)}


def test_where_the_numbers_of_every_study_come_from_stands_below(
    made_up: MadeUp, variant: Path
) -> None:
    output = compared(made_up, made_up.file, variant).output
    assert f"45 of 45 results done; study {made_up.plan.fingerprint[:12]}" in output
    assert "variant: " in output
    assert "seeds 2; 6 of 6 results done" in output


def test_only_some_strategies_are_shown_where_a_study_has_them(
    made_up: MadeUp, variant: Path
) -> None:
    output = compared(made_up, made_up.file, variant, "--only", "bilingual,mtl-ws").output
    assert output.count("mtl-ws") == 2
    assert output.count("bilingual") == 1
    assert "zero-shot" not in output


def test_what_is_not_done_is_empty_and_counted(made_up: MadeUp, tmp_path: Path) -> None:
    command = [str(made_up.file), "--store", str(tmp_path)]
    output = CliRunner().invoke(compare, command, catch_exceptions=False).output
    assert "0 of 45 results done" in output
    assert "0.00" not in output


def test_studies_that_cannot_stand_in_one_table_are_refused(
    made_up: MadeUp, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="two studies are called tiny"):
        compared(made_up, made_up.file, made_up.file)
    other = tmp_path / "other.yaml"
    task = {"name": "own", "scheme": "bioes", "labels": ["PER", "LOC", "ORG", "MISC"]}
    other.write_text(yaml.safe_dump({"base": str(made_up.file), "name": "o", "task": task}))
    with pytest.raises(InputError, match="scores of different tasks cannot be compared: ner, own"):
        compared(made_up, made_up.file, other)

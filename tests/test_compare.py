"""``xlwarm compare``: several studies in one table."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from experiments.compare import compare
from experiments.reports.across import arms_of, compare_arms, counterparts
from experiments.reports.evidence import Evidence
from orchestrator.plan import make_plan
from orchestrator.results import AVERAGE, results
from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from projection.errors import InputError
from tests.finished import MadeUp, finish


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


def test_studies_differ_as_the_strategies_of_one_study_that_has_all_of_them(
    made_up: MadeUp, variant: Path
) -> None:
    """P is not yet corrected: that depends on how many comparisons there are."""
    plans = [made_up.plan, make_plan(read_study(variant))]
    pairs = counterparts(arms_of(plans), "tiny:zero-shot")
    across = compare_arms(plans, made_up.done, pairs)
    within = Evidence(plans[1], made_up.done, "", "zero-shot").comparisons
    found = {one.column: one for one in across if one.strategy == "variant: mtl-ws"}
    assert list(found) == ["es", "de", "nl", AVERAGE]
    for one in within:
        other = found[one.column]
        assert other.baseline == "tiny: zero-shot"
        assert other.seeds == one.seeds == (2,)
        assert other.difference == pytest.approx(one.difference)
        assert other.interval == pytest.approx(one.interval)
        assert other.p_sentences == one.p_sentences
    same = [one for one in across if one.strategy == "variant: zero-shot"]
    assert [(one.difference, one.p_sentences) for one in same] == [(0.0, 1.0)] * 4


def test_what_differs_from_the_baseline_is_marked_and_tested_below(
    made_up: MadeUp, variant: Path
) -> None:
    options = ("--baseline", "tiny", "--format", "markdown", "--only", "zero-shot,mtl-ws")
    output = compared(made_up, made_up.file, variant, *options).output
    rows = [line for line in output.splitlines() if line.startswith("|")]
    second = next(k for k, line in enumerate(rows) if "p corrected" in line)
    tested = [[cell.strip() for cell in line.strip("|").split("|")] for line in rows[second + 2 :]]
    assert [(row[0], row[1], row[2]) for row in tested] == [
        (f"variant: {how}", column, f"tiny: {how}")
        for how in ("zero-shot", "mtl-ws")
        for column in ("es", "de", "nl", "average")
    ]
    assert "for 8 comparisons" in output
    assert "(Holm 1979)" in output


def test_significance_marks_are_those_of_the_comparisons(made_up: MadeUp, tmp_path: Path) -> None:
    """The made-up warm-up predicts far more spans rightly."""
    cold, warm = tmp_path / "cold.yaml", tmp_path / "warm.yaml"
    for path, how in ((cold, "zero-shot"), (warm, "mtl-ws")):
        content = {"base": str(made_up.file), "name": path.stem, "strategies": [how]}
        path.write_text(yaml.safe_dump(content))
    output = compared(made_up, cold, warm, "--baseline", "cold").output
    differences = compare_arms(
        plans := [make_plan(read_study(path)) for path in (cold, warm)],
        made_up.done,
        counterparts(arms_of(plans), "cold"),
    )
    assert {one.strategy for one in differences} == {"warm: mtl-ws"}
    significant = sum(one.is_significant for one in differences)
    assert significant > 0
    row = next(line for line in output.splitlines() if line.split()[:2] == ["warm", "mtl-ws"])
    assert row.count("\N{DAGGER}") == significant


def test_a_baseline_that_is_not_there_is_refused_with_those_that_are(
    made_up: MadeUp, variant: Path
) -> None:
    for wrong in ("tyni", "variant:bilingual"):
        with pytest.raises(InputError, match=f"--baseline {wrong}: .* tiny, variant, .*:mtl-ws"):
            compared(made_up, made_up.file, variant, "--baseline", wrong)


def test_studies_that_are_not_tested_on_the_same_sentences_have_no_difference(
    made_up: MadeUp, tmp_path: Path
) -> None:
    other = tmp_path / "other.yaml"
    tests = {"es": "es.test.conll", "de": "nl.test.conll", "nl": "nl.test.conll"}
    content = {"base": str(made_up.file), "name": "other", "strategies": ["zero-shot"]}
    other.write_text(yaml.safe_dump(content | {"data": {"test": tests}}))
    store = StepStore(tmp_path / "store")
    for path in (made_up.file, other):
        finish(make_plan(read_study(path)), store)
    command = [str(made_up.file), str(other), "--store", str(store.root), "--baseline", "tiny"]
    with pytest.raises(InputError, match="tiny and other are not tested on the same de sentences"):
        CliRunner().invoke(compare, command, catch_exceptions=False)


def test_nothing_is_said_of_studies_that_have_not_begun(made_up: MadeUp, tmp_path: Path) -> None:
    command = [str(made_up.file), "--store", str(tmp_path), "--baseline", "tiny:mtl-ws"]
    output = CliRunner().invoke(compare, command, catch_exceptions=False).output
    assert "Nothing was tested with the same seed as tiny:mtl-ws yet." in output

"""Reports: what they say of finished and half-done studies, in every format."""

from pathlib import Path

import pytest
from seqeval.metrics.sequence_labeling import f1_score, precision_recall_fscore_support

from experiments import Study
from experiments.report import FORMATS
from experiments.reports.evidence import Evidence
from experiments.reports.mistakes import OTHERS, SHOWN_LABELS, merge_rare
from experiments.reports.paper_numbers import monolingual_scores, paper_scores
from experiments.reports.study_report import SECTIONS, study_report
from orchestrator.results import AVERAGE
from orchestrator.steps.evaluate import PREDICTIONS
from orchestrator.store import StepStore
from projection.columns import read_blocks
from projection.errors import InputError
from projection.span_matching import Fate
from tests.finished import COMMIT, MadeUp, reported


@pytest.fixture(scope="module")
def evidence(made_up: MadeUp) -> Evidence:
    return Evidence(made_up.plan, made_up.done, "xlwarm run study.yaml")


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_half_done_study_reports_what_it_has_and_says_what_is_missing(
    format_name: str, made_up: MadeUp
) -> None:
    done = reported(made_up.file, made_up.half, "--format", format_name)
    assert done.exit_code == 0
    # German of seed 2 of four strategies, and two seeds of three languages of the fifth.
    assert "10 results are missing" in done.stderr
    if format_name != "csv":
        said = " ".join(done.stdout.split())
        assert "35 of 45 results are done" in said
        assert "Missing: mtl-ws: es (seeds 2, 3), de (seeds 2, 3), nl (seeds 2, 3)." in said
        assert "(1 of 3 seeds)" in said


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_study_that_has_not_begun_has_a_report_too(
    format_name: str, tmp_path: Path, made_up: MadeUp
) -> None:
    done = reported(made_up.file, StepStore(tmp_path), "--format", format_name)
    assert done.exit_code == 0
    assert "45 results are missing" in done.stderr


def test_counts_of_the_predictions_are_those_that_the_steps_reported(
    evidence: Evidence, made_up: MadeUp
) -> None:
    for spec in made_up.plan.specs:
        for evaluation in spec.evaluations:
            micro = made_up.done.outputs(evaluation)["micro"]
            test = evidence.tests[evaluation.language]
            tested = test.tested[spec.strategy, spec.seed]
            counted = (tested.correct.sum(), tested.predicted.sum(), test.gold.counts.sum())
            assert counted == (micro["correct"], micro["predicted"], micro["gold"])
            assert tested.fates[Fate.RIGHT] == micro["correct"]
            assert tested.fates.sum() == micro["gold"]


def test_scores_in_the_table_are_those_of_seqeval_and_labels_add_up(made_up: MadeUp) -> None:
    frame = Study.from_yaml(made_up.file, store=str(made_up.done.location)).results()
    frame = frame.set_index(["strategy", "seed", "language"])
    labels = ["LOC", "MISC", "ORG", "PER"]
    for spec in made_up.plan.specs:
        for evaluation in spec.evaluations:
            gold = [list(block.tags) for block in read_blocks(evaluation.test.files[0].path)]
            blocks = read_blocks(made_up.done.folder(evaluation) / PREDICTIONS)
            predicted = [list(block.tags) for block in blocks]
            row = frame.loc[spec.strategy, spec.seed, evaluation.language]
            assert row.f1 == pytest.approx(100 * f1_score(gold, predicted))
            each = precision_recall_fscore_support(gold, predicted, average=None, zero_division=0)
            found = [100 * score for score in each[2]]
            assert [row[f"f1.{label}"] for label in labels] == pytest.approx(found)
            assert sum(row[f"gold.{label}"] for label in labels) == row.gold


def test_everything_is_compared_with_the_best_that_has_no_warm_start(evidence: Evidence) -> None:
    compared = evidence.comparisons
    assert len(compared) == 4 * 4  # strategies but the baseline; languages and the average
    for one in compared:
        cold = [name for name in evidence.study.strategies if name != "mtl-ws"]
        best = max(cold, key=lambda name: evidence.scores[name, one.column].mean)
        assert one.baseline == best
        expected = evidence.scores[one.strategy, one.column].mean
        expected -= evidence.scores[best, one.column].mean
        assert one.difference == pytest.approx(expected)
        assert one.interval[0] <= one.difference <= one.interval[1]


def test_seeds_that_only_one_strategy_has_are_in_no_comparison(made_up: MadeUp) -> None:
    found = Evidence(made_up.plan, made_up.half, "", baseline="zero-shot")
    seeds = {(one.strategy, one.column): one.seeds for one in found.comparisons}
    assert seeds["bilingual", "es"] == (1, 2, 3)
    assert seeds["bilingual", "de"] == seeds["bilingual", AVERAGE] == (1, 3)
    assert seeds["mtl-ws", "nl"] == (1,)
    assert {one.baseline for one in found.comparisons} == {"zero-shot"}


def test_a_baseline_that_the_study_has_not_is_refused(made_up: MadeUp) -> None:
    with pytest.raises(InputError, match="--baseline cold: the study has zero-shot"):
        reported(made_up.file, made_up.done, "--baseline", "cold")


def test_every_number_comes_with_its_fingerprint_commit_and_command(made_up: MadeUp) -> None:
    text = reported(made_up.file, made_up.done, "--format", "text", "--set", "name=renamed").stdout
    assert f"xlwarm run {made_up.file} --set name=renamed" in text.replace("\n", " ")
    for spec in made_up.plan.specs:
        assert spec.model.fingerprint[:12] in text
        for evaluation in spec.evaluations:
            (row,) = (
                line for line in text.splitlines() if f" {evaluation.fingerprint[:12]} " in line
            )
            assert row.split()[:3] == [spec.strategy, evaluation.language, str(spec.seed)]
            assert row.split()[-1] == COMMIT[:12]
    assert "learning_rate: 0.01" in text


def test_projection_and_cost_are_those_of_the_steps(made_up: MadeUp) -> None:
    text = reported(made_up.file, made_up.done, "--format", "markdown").stdout
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    # 17 of 20 spans were kept; all of ORG, 2 of 10 LOC and no PER were lost.
    assert ["es", "20", "4", "17", "2", "1", "15.0"] in rows
    assert ["ORG", "100.0", "100.0", "100.0"] in rows
    assert ["finetune", "27 of 27", "27 min", "60 s", "0.00", "cpu"] in rows
    # Dev F1 starts at 40 or 60, and has the seed (2 on average) and the step on top.
    assert ["zero-shot", "45.00", "48.00", "6", "1.000"] in rows
    assert ["mtl-ws", "65.00", "68.00", "6", "1.000"] in rows


def test_rare_labels_are_shown_together_and_nothing_is_lost() -> None:
    import numpy as np

    labels = [f"A{k}" for k in range(SHOWN_LABELS + 3)]
    counts = np.arange((len(labels) + 1) ** 2).reshape(len(labels) + 1, -1)
    names, merged = merge_rare(counts, labels)
    assert len(names) == SHOWN_LABELS
    assert names[-1] == OTHERS
    assert merged.sum() == counts.sum()
    assert merged[-1, -1] == counts[-1, -1]
    assert merged[0, 0] == counts[labels.index(names[0]), labels.index(names[0])]


def test_the_papers_numbers_stand_beside_test_sets_of_its_sizes_only() -> None:
    (same,) = paper_scores(
        "ner", "bert-base-multilingual-cased", {"es": 1517, "de": 3005, "nl": 5195}
    )
    assert (same.name, same.same_encoder) == ("mBERT", True)
    assert same.rows["mtl-ws"] == {"es": 75.67, "de": 71.69, "nl": 78.31, "avg": 75.22}
    other = paper_scores("ner", "bundled:multilingual-e5-small", {"es": 1517, "de": 10})
    assert [(one.name, one.same_encoder) for one in other] == [("mBERT", False), ("XLM-R", False)]
    assert other[0].rows["zero-shot"] == {"es": 76.14}  # no average without its languages
    assert paper_scores("ner", "xlm-roberta-base", {"es": 100}) == []
    assert paper_scores("chunks", "xlm-roberta-base", {"es": 1517}) == []


def test_a_study_of_one_language_stands_beside_the_papers_table_4() -> None:
    (one,) = monolingual_scores("absa", "xlm-roberta-base", {"tr": 144})
    assert (one.name, one.rows) == ("XLM-R", {"monolingual": {"tr": 65.73}})
    assert len(monolingual_scores("ner", "bundled:multilingual-e5-small", {"en": 3453})) == 2
    assert monolingual_scores("ner", "xlm-roberta-base", {"es": 1517}) == []  # not in Table 4
    assert monolingual_scores("chunks", "xlm-roberta-base", {"en": 3453}) == []


def test_sections_are_left_out_where_there_is_nothing_to_show(
    tmp_path: Path, made_up: MadeUp
) -> None:
    document = study_report(Evidence(made_up.plan, StepStore(tmp_path), "xlwarm run x"))
    keys = [section.key for section in document.sections]
    assert keys == ["scores", "cost", "reproduce", "settings"]


def test_figures_are_written_as_files_too(made_up: MadeUp, tmp_path: Path) -> None:
    done = reported(made_up.file, made_up.done, "--png", str(tmp_path / "figures"))
    written = sorted((tmp_path / "figures").iterdir())
    names = ["curves.png", "differences.png", "errors.png", "scores.png"]
    assert [path.name for path in written] == names
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    assert done.stderr.count("wrote ") == 4


def test_figures_of_which_nothing_is_done_are_not_written(made_up: MadeUp, tmp_path: Path) -> None:
    reported(made_up.file, StepStore(tmp_path), "--png", str(tmp_path / "figures"))
    assert list((tmp_path / "figures").iterdir()) == []


def test_every_section_can_be_had_alone_by_its_key(evidence: Evidence) -> None:
    """But for the paper's numbers: these test sets are none of the paper's."""
    whole = study_report(evidence)
    assert [section.key for section in whole.sections] == [
        key for key in SECTIONS if key != "paper"
    ]
    for section in whole.sections:
        [alone] = study_report(evidence, [section.key]).sections
        for what in ("title", "paragraphs", "tables", "code"):
            assert getattr(alone, what) == getattr(section, what)


def test_sections_that_do_not_exist_or_have_no_place_are_refused(made_up: MadeUp) -> None:
    some = reported(made_up.file, made_up.done, "--sections", "cost, scores").stdout
    assert some.index("Scores") < some.index("Cost")
    assert "Errors" not in some
    with pytest.raises(InputError, match="--sections prize: a report has scores, differences"):
        reported(made_up.file, made_up.done, "--sections", "scores,prize")
    with pytest.raises(InputError, match="csv has rows"):
        reported(made_up.file, made_up.done, "--sections", "scores", "--format", "csv")
    with pytest.raises(InputError, match="leave out --sweep"):
        reported(made_up.file, made_up.done, "--sections", "scores", "--sweep")

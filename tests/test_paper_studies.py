"""The paper's studies have the paper's settings, and every study file says what it is for."""

import re
from itertools import product

import pytest
import yaml

from orchestrator.study import Study
from tests.shipped import PAPER, SMALL, STUDIES, header, whole
from trainers.settings import OuterOptimizer

NUMBERS = yaml.safe_load((PAPER / "numbers.yaml").read_text(encoding="utf-8"))
TASKS, BACKBONES = ("ner", "srl", "absa"), ("mbert", "xlmr")
SETTINGS = tuple(product(TASKS, BACKBONES))
CHECKPOINTS = {"mbert": "bert-base-multilingual-cased", "xlmr": "xlm-roberta-base"}
"""Note 6 of the paper."""
RESULTS = {"ner": "table1", "srl": "table2", "absa": "table3"}

# Li et al. 2020, Table 6, typed from the page: Z, K, gamma, beta, learning rate, batch size.
TABLE_6 = {
    ("ner", "mbert"): (100, 5, 5e-5, 1e-3, 5e-5, 8),
    ("srl", "mbert"): (50, 30, 5e-5, 1e-3, 5e-5, 8),
    ("absa", "mbert"): (100, 20, 5e-5, 1e-3, 5e-5, 8),
    ("ner", "xlmr"): (50, 20, 5e-5, 1e-3, 1e-5, 4),
    ("srl", "xlmr"): (100, 30, 5e-5, 1e-3, 1e-5, 4),
    ("absa", "xlmr"): (100, 20, 5e-5, 1e-3, 1e-5, 4),
}
# A.2, typed from the page: steps; the first steps after which the dev set is looked at; longest
# input. "Up to 3000 steps, model selection after 2000, every 200", and so on. SRL names no step
# from which on, nor a longest input; ABSA is not truncated: 512 pieces are all an encoder reads.
A_2 = {
    ("ner", "mbert"): (3000, (2000, 2200, 2400), 128),
    ("ner", "xlmr"): (6000, (4000, 4400, 4800), 128),
    ("srl", "mbert"): (10000, (1000, 2000, 3000), 512),
    ("srl", "xlmr"): (20000, (2000, 4000, 6000), 512),
    ("absa", "mbert"): (1500, (1000, 1100, 1200), 512),
    ("absa", "xlmr"): (1500, (1000, 1100, 1200), 512),
}


def paper_study(task: str, backbone: str) -> Study:
    return whole(PAPER / f"{task}-{backbone}.yaml")


@pytest.mark.parametrize(("task", "backbone"), SETTINGS)
def test_a_paper_study_has_the_hyper_parameters_of_table_6(task: str, backbone: str) -> None:
    study = paper_study(task, backbone)
    warmup, training = study.warmup, study.training
    assert TABLE_6[task, backbone] == (
        warmup.rounds,
        warmup.steps,
        warmup.outer_lr,
        warmup.inner_lr,
        training.learning_rate,
        training.batch_size,
    )
    assert warmup.outer_optimizer is OuterOptimizer.ADAM


@pytest.mark.parametrize(("task", "backbone"), SETTINGS)
def test_a_paper_study_has_the_schedule_of_a_2_and_nothing_that_the_paper_does_not_name(
    task: str, backbone: str
) -> None:
    study = paper_study(task, backbone)
    training = study.training
    looked = [step for step in range(1, training.steps + 1) if training.is_selection_step(step)]
    found = training.steps, tuple(looked[:3]), study.backbone.max_pieces
    assert found == A_2[task, backbone]
    assert looked[-1] == training.steps
    unnamed = training.model_dump(include={"lr_warmup", "lr_decay", "max_grad_norm"})
    assert unnamed == {"lr_warmup": 0, "lr_decay": "none", "max_grad_norm": None}
    assert (study.backbone.name, study.backbone.num_layers) == (CHECKPOINTS[backbone], None)


@pytest.mark.parametrize(("task", "backbone"), SETTINGS)
def test_the_papers_settings_are_kept_as_data_as_well(task: str, backbone: str) -> None:
    study = paper_study(task, backbone)
    for source in ("table6", "a2"):
        for block, settings in NUMBERS[source][backbone][task].items():
            assert getattr(study, block).model_dump(include=set(settings)) == settings


@pytest.mark.parametrize(("task", "backbone"), SETTINGS)
def test_a_paper_study_fills_every_cell_of_its_half_of_its_table(task: str, backbone: str) -> None:
    study, table = paper_study(task, backbone), NUMBERS[RESULTS[task]][backbone]
    assert list(study.strategies) == list(table)
    assert [*study.targets, "avg"] == list(table["zero-shot"])
    assert (study.source, len(study.seeds)) == ("en", 5)


def test_a_fifth_of_the_absa_sentences_selects_models() -> None:
    assert {paper_study("absa", one).data.dev_share for one in BACKBONES} == {0.2}
    assert {paper_study(task, "mbert").data.dev_share for task in ("ner", "srl")} == {None}


@pytest.mark.parametrize("task", TASKS)
def test_both_backbones_read_the_same_files(task: str) -> None:
    mbert, xlmr = (paper_study(task, one) for one in BACKBONES)
    assert mbert.data == xlmr.data


@pytest.mark.parametrize("task", ["ner", "absa"])
def test_the_small_study_reads_the_files_of_the_papers(task: str) -> None:
    assert whole(SMALL / f"{task}.yaml").data == paper_study(task, "mbert").data


@pytest.mark.parametrize(("task", "backbone"), SETTINGS)
def test_a_paper_sweep_searches_the_ranges_of_a_1_and_is_else_the_paper_study(
    task: str, backbone: str
) -> None:
    swept = whole(PAPER / f"sweep-{task}-{backbone}.yaml")
    plain = paper_study(task, backbone)
    assert swept.sweep is not None
    assert {name: one.values for name, one in swept.sweep.parameters.items()} == {
        "warmup.rounds": (50, 75, 100),
        "warmup.steps": (5, 10, 20, 30),
        "training.learning_rate": (5e-4, 1e-5, 2e-5, 5e-5),
    }
    assert (swept.sweep.size, swept.sweep.strategy, swept.sweep.metric) == (48, "mtl-ws", "dev_f1")
    own = {"name", "seeds", "strategies", "sweep"}
    assert swept.model_dump(exclude=own) == plain.model_dump(exclude=own)


@pytest.mark.parametrize(("task", "backbone"), SETTINGS)
def test_the_steps_that_a_paper_sweep_says_it_costs_are_those_of_its_grid(
    task: str, backbone: str
) -> None:
    study = paper_study(task, backbone)
    rounds, steps, rates = (50, 75, 100), (5, 10, 20, 30), 4
    alone = len(study.targets) * rates * sum(rounds) * sum(steps)
    shared = len(study.targets) * max(rounds) * sum(steps)
    text = header(PAPER / f"sweep-{task}-{backbone}.yaml")
    for number in (alone, shared, 48 * study.training.steps):
        assert f"{number:,}" in text


@pytest.mark.parametrize("name", [name for name in STUDIES if name.startswith("paper/")])
def test_the_models_and_steps_that_a_paper_study_says_it_costs_are_its_own(name: str) -> None:
    study, text = whole(STUDIES[name]), header(STUDIES[name])
    if study.sweep:
        return
    per_seed = sum(
        len(study.targets) if how in ("target-only", "bilingual") else 1 for how in study.strategies
    )
    models, steps = per_seed * len(study.seeds), study.training.steps
    assert re.search(rf"\b{models} models of (?:{steps}|{steps:,}) steps", text)
    if "mtl-ws" in study.strategies:
        rounds = study.warmup.rounds * study.warmup.steps * len(study.targets)
        assert re.search(rf"\b{len(study.seeds)} warm-ups of (?:{rounds}|{rounds:,})\b", text)


@pytest.mark.parametrize("column", NUMBERS["table4"]["delta"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_study_of_one_language_is_a_column_of_table_4(column: str, backbone: str) -> None:
    study = whole(PAPER / f"monolingual-{column}-{backbone}.yaml")
    task, language = column.split("-")
    assert (study.task.name, study.source, study.targets) == (task, language, (language,))
    assert study.training == paper_study(task, backbone).training
    paths = [path for _, path in study.files()]
    assert len(set(paths)) == len(paths)
    text = header(PAPER / f"monolingual-{column}-{backbone}.yaml")
    assert f"table4.{backbone}.{column} ({NUMBERS['table4'][backbone][column]:.2f})" in text


@pytest.mark.parametrize("path", [PAPER / "table5-mbert.yaml", SMALL / "table5.yaml"])
def test_table_5_differs_from_target_only_in_the_mapping_alone(path) -> None:
    words = whole(path)
    spans = whole(PAPER / "ner-mbert.yaml" if path.parent == PAPER else SMALL / "ner.yaml")
    assert (spans.data.mapping.rule, words.data.mapping.rule) == ("span-to-span", "word-to-word")
    own = {"name": True, "strategies": True, "data": {"mapping"}}
    assert words.model_dump(exclude=own) == spans.model_dump(exclude=own)


FIGURE_2 = [name for name in STUDIES if "/figure2-" in name]


@pytest.mark.parametrize("name", FIGURE_2)
def test_figure_2_looks_at_the_development_set_from_the_beginning_and_changes_nothing_else(
    name: str,
) -> None:
    curve = whole(STUDIES[name])
    plain = whole(STUDIES[name.replace("figure2-", "")])
    assert curve.strategies == ("zero-shot", "mtl-ws")
    looked = {"select_after", "evaluate_every"}
    assert curve.training.model_dump(exclude=looked) == plain.training.model_dump(exclude=looked)
    assert curve.warmup == plain.warmup
    first = next(step for step in range(1, 10**6) if curve.training.is_selection_step(step))
    assert first <= curve.training.steps / 15


@pytest.mark.parametrize("name", [name for name in STUDIES if "/sentences-" in name])
def test_a_study_of_so_many_sentences_warms_up_on_so_many(name: str) -> None:
    study = whole(STUDIES[name])
    seen = study.warmup.rounds * study.warmup.steps * study.training.batch_size
    assert name == f"small/sentences-{seen}"
    assert study.warmup.steps == whole(SMALL / "ner.yaml").warmup.steps


@pytest.mark.parametrize("name", [name for name in STUDIES if "/rounds-" in name])
def test_a_study_of_so_many_rounds_warms_up_on_as_many_sentences_as_the_usual_ones(
    name: str,
) -> None:
    one, usual = whole(STUDIES[name]).warmup, whole(SMALL / "ner.yaml").warmup
    assert name == f"small/rounds-{one.rounds}"
    assert one.rounds * one.steps == usual.rounds * usual.steps


def test_two_translators_differ_in_their_files_alone() -> None:
    deepl, m2m100 = (whole(SMALL / f"translation-{one}.yaml") for one in ("deepl", "m2m100"))
    text = deepl.model_dump_json(exclude={"name"}).replace("DeepL", "m2m100")
    assert text == m2m100.model_dump_json(exclude={"name"})


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_file_opens_with_claim_command_cost_and_expected_numbers(name: str) -> None:
    text = header(STUDIES[name])
    command = "sweep" if "/sweep-" in name else "run"
    for item in ("# Claim:", "# Run:", "# Cost:", "# Expect:"):
        assert f"\n{item}" in text
    assert f"xlwarm {command} experiments/{name}.yaml" in text
    expected = "experiments/paper/numbers.yaml|no numbers" if "paper" in name else "docs/results/"
    assert re.search(rf"# Expect: .*(?:{expected})", text)
    assert whole(STUDIES[name]).name.startswith(STUDIES[name].stem.split("-")[0])


def test_every_name_of_a_study_is_its_own() -> None:
    names = [whole(path).name for path in STUDIES.values()]
    assert sorted(names) == sorted(set(names))

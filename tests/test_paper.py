"""The paper's numbers agree among themselves, with the studies and with docs/paper_map.md."""

import ast
import re
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.study import Study
from orchestrator.study_file import read_study
from trainers.strategies import STRATEGIES
from trainers.warmup import OuterOptimizer

ROOT = Path(__file__).parents[1]
PAPER = ROOT / "experiments" / "paper"
SMALL_STUDY = ROOT / "experiments" / "small" / "ner.yaml"
MAP = ROOT / "docs" / "paper_map.md"
NUMBERS = yaml.safe_load((PAPER / "numbers.yaml").read_text(encoding="utf-8"))

BACKBONES = {"mbert": "bert-base-multilingual-cased", "xlmr": "xlm-roberta-base"}
"""Note 6 of the paper."""
F1_TABLES = ("table1", "table2", "table3")
REFERENCE = re.compile(r"(?P<path>[\w./-]+\.(?:py|yaml|md))(?::(?P<name>\w+(?:\.\w+)*))?")


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty file wherever the NER studies expect one: a study names no file that is missing."""
    folder = tmp_path_factory.mktemp("corpora")
    content = yaml.safe_load(SMALL_STUDY.read_text(encoding="utf-8"))
    settings = content["data"]
    templates = [settings[key] for key in ("train", "dev", "test", "translations", "aligner")]
    for template in templates:
        for target in content["targets"]:
            path = template.removeprefix("pharaoh:").replace("{source}", content["source"])
            file = folder / path.replace("{language}", target)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    return folder


def read(path: Path, data_root: Path) -> Study:
    return read_study(path, [f"data_root={data_root}"])


def paper_study(backbone: str) -> Path:
    return PAPER / f"ner-{backbone}.yaml"


def at(dotted: str) -> Any:
    value = NUMBERS
    for key in dotted.split("."):
        value = value[key]
    return value


def exact(number: float) -> Decimal:
    return Decimal(str(number))


def derived() -> dict[str, Decimal]:
    """What every average and difference should be, given the other printed numbers."""
    expected = {}
    for table in F1_TABLES:
        for backbone, rows in NUMBERS[table].items():
            for name, row in rows.items():
                scores = [exact(score) for column, score in row.items() if column != "avg"]
                mean = sum(scores, Decimal()) / len(scores)
                rounded = mean.quantize(Decimal("0.01"), ROUND_HALF_UP)
                expected[f"{table}.{backbone}.{name}.avg"] = rounded
    monolingual = NUMBERS["table4"]
    for column in monolingual["delta"]:
        gain = exact(monolingual["xlmr"][column]) - exact(monolingual["mbert"][column])
        expected[f"table4.delta.{column}"] = gain
    for backbone, row in NUMBERS["table5"].items():
        loss = exact(row["word-to-word"]) - exact(row["span-to-span"])
        expected[f"table5.{backbone}.delta"] = loss
    return expected


def test_every_average_and_difference_follows_from_its_row_but_for_the_listed_ones():
    wrong = {key: float(value) for key, value in derived().items() if exact(at(key)) != value}
    assert len(derived()) == 37
    assert wrong == NUMBERS["inconsistent"]


@pytest.mark.parametrize("table", F1_TABLES)
def test_every_table_has_all_strategies_in_order_and_the_same_languages_in_every_row(table):
    columns = {tuple(row) for rows in NUMBERS[table].values() for row in rows.values()}
    assert len(columns) == 1
    assert list(NUMBERS[table]) == list(BACKBONES)
    for rows in NUMBERS[table].values():
        assert list(rows) == list(STRATEGIES)


def test_mtl_ws_has_the_best_average_of_every_table_and_backbone():
    for table in F1_TABLES:
        for rows in NUMBERS[table].values():
            assert max(rows, key=lambda name: rows[name]["avg"]) == "mtl-ws"


def test_table_5_repeats_the_spanish_target_only_scores_of_table_1():
    for backbone, row in NUMBERS["table5"].items():
        assert row["span-to-span"] == NUMBERS["table1"][backbone]["target-only"]["es"]


def test_the_chosen_hyper_parameters_are_among_those_that_were_searched():
    for tasks in NUMBERS["table6"].values():
        for chosen in tasks.values():
            for block, ranges in NUMBERS["a1"].items():
                for key, searched in ranges.items():
                    assert chosen[block][key] in searched


@pytest.mark.parametrize(
    ("results", "sizes"), [("table1", "table7"), ("table2", "table9"), ("table3", "table8")]
)
def test_the_languages_of_the_corpora_are_english_and_those_of_the_results(results, sizes):
    columns = list(NUMBERS[results]["mbert"]["zero-shot"])
    assert list(NUMBERS[sizes]) == ["en", *columns[:-1]]


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_paper_study_has_the_settings_of_table_6_and_a_2(backbone, data_root):
    study = read(paper_study(backbone), data_root)
    assert study.backbone.name == BACKBONES[backbone]
    for source in ("table6", "a2"):
        for block, settings in NUMBERS[source][backbone]["ner"].items():
            assert getattr(study, block).model_dump(include=set(settings)) == settings
    unnamed = study.training.model_dump(include={"lr_warmup", "lr_decay", "max_grad_norm"})
    assert unnamed == {"lr_warmup": 0, "lr_decay": "none", "max_grad_norm": None}
    assert study.backbone.num_layers is None
    assert study.warmup.outer_optimizer is OuterOptimizer.ADAM


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_paper_study_fills_every_cell_of_its_half_of_table_1(backbone, data_root):
    study = read(paper_study(backbone), data_root)
    table = NUMBERS["table1"][backbone]
    assert list(study.strategies) == list(table)
    assert [*study.targets, "avg"] == list(table["zero-shot"])
    assert len(study.seeds) == 5
    assert study.source == "en"


def test_all_ner_studies_read_the_same_files(data_root):
    small = read(SMALL_STUDY, data_root)
    for backbone in BACKBONES:
        assert read(paper_study(backbone), data_root).data == small.data


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_paper_study_opens_with_claim_command_cost_and_expected_numbers(backbone):
    text = paper_study(backbone).read_text(encoding="utf-8")
    header = text[: text.index("\nname:")]
    for item in ("# Claim:", "# Cost:", f"xlwarm run experiments/paper/ner-{backbone}.yaml"):
        assert item in header
    assert f"table1.{backbone}" in header


def paper_sweep(backbone: str) -> Path:
    return PAPER / f"sweep-ner-{backbone}.yaml"


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_paper_sweep_searches_the_ranges_of_a_1_and_is_else_the_paper_study(backbone, data_root):
    swept, plain = read(paper_sweep(backbone), data_root), read(paper_study(backbone), data_root)
    assert swept.sweep is not None
    ranges = {
        f"{block}.{key}": tuple(values)
        for block, settings in NUMBERS["a1"].items()
        for key, values in settings.items()
    }
    assert {name: one.values for name, one in swept.sweep.parameters.items()} == ranges
    assert swept.sweep.size == 48
    assert (swept.sweep.strategy, swept.sweep.metric) == ("mtl-ws", "dev_f1")
    own = {"name", "seeds", "strategies", "sweep"}
    assert swept.model_dump(exclude=own) == plain.model_dump(exclude=own)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_steps_that_a_paper_sweep_says_it_costs_are_those_of_its_grid(backbone, data_root):
    study = read(paper_sweep(backbone), data_root)
    rounds, steps = NUMBERS["a1"]["warmup"]["rounds"], NUMBERS["a1"]["warmup"]["steps"]
    rates, languages = NUMBERS["a1"]["training"]["learning_rate"], len(study.targets)
    alone = languages * len(rates) * sum(rounds) * sum(steps)
    shared = languages * max(rounds) * sum(steps)
    text = paper_sweep(backbone).read_text(encoding="utf-8")
    for number in (alone, shared, study.sweep.size * study.training.steps):
        assert f"{number:,}" in text


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_paper_sweep_opens_with_claim_commands_cost_and_expected_numbers(backbone):
    text = paper_sweep(backbone).read_text(encoding="utf-8")
    header = text[: text.index("\nname:")]
    path = f"experiments/paper/sweep-ner-{backbone}.yaml"
    for item in ("# Claim:", "# Cost:", f"xlwarm sweep {path}", f"--from-sweep {path}"):
        assert item in header
    assert f"table6.{backbone}.ner" in header


def references(text: str) -> list[tuple[str, str]]:
    """Path and dotted name (or nothing) of every file that is named in backticks."""
    quoted = " ".join(re.findall(r"`([^`\n]+)`", text))
    return [(found["path"], found["name"] or "") for found in REFERENCE.finditer(quoted)]


@cache
def names_in(path: Path) -> frozenset[str]:
    """Everything that ``path`` defines: dotted names of Python code, dotted keys of YAML."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yaml":
        return frozenset(_keys(yaml.safe_load(text)))
    return frozenset(_definitions(ast.parse(text).body))


def _keys(value: object, prefix: str = "") -> list[str]:
    if not isinstance(value, dict):
        return []
    return [
        name
        for key, one in value.items()
        for name in (f"{prefix}{key}", *_keys(one, f"{prefix}{key}."))
    ]


def _definitions(body: list[ast.stmt], prefix: str = "") -> list[str]:
    names = []
    for node in body:
        if isinstance(node, ast.ClassDef):
            names += [prefix + node.name, *_definitions(node.body, f"{prefix}{node.name}.")]
        elif isinstance(node, ast.FunctionDef):
            names.append(prefix + node.name)
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
            names += [prefix + target.id for target in targets if isinstance(target, ast.Name)]
    return names


def test_every_file_and_name_in_the_paper_map_exists():
    named = references(MAP.read_text(encoding="utf-8"))
    missing = [
        f"{path}:{name}"
        for path, name in named
        if not (ROOT / path).is_file() or (name and name not in names_in(ROOT / path))
    ]
    assert len(named) > 40
    assert missing == []


def test_the_paper_map_has_a_row_for_every_equation_table_and_figure():
    lines = MAP.read_text(encoding="utf-8").splitlines()
    first_cells = [line.split("|")[1] for line in lines if line.startswith("|")]
    mapped = " ".join(first_cells).replace("Eq. 5 and 6", "Eq. 5 Eq. 6")
    mapped = mapped.replace("Tables 7, 8, 9", "Table 7 Table 8 Table 9")
    wanted = [f"Eq. {n}" for n in range(1, 10)] + [f"Table {n}" for n in range(1, 10)]
    wanted += ["Figure 1a", "Figure 1b", "Figure 2", "A.1", "A.2"]
    assert [item for item in wanted if item not in mapped] == []


def test_a_reference_to_a_name_that_is_not_there_is_found():
    assert references("see `trainers/warmup.py:warm_up`.") == [("trainers/warmup.py", "warm_up")]
    assert "warm_up" in names_in(ROOT / "trainers" / "warmup.py")
    assert "WarmupSettings.rounds" in names_in(ROOT / "trainers" / "warmup.py")
    assert "no_such_function" not in names_in(ROOT / "trainers" / "warmup.py")

"""The paper's numbers agree among themselves, and docs/paper_map.md with the code."""

import ast
import re
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.shipped import PAPER
from trainers.strategies import STRATEGIES

ROOT = Path(__file__).parents[1]
MAP = ROOT / "docs" / "paper_map.md"
NUMBERS = yaml.safe_load((PAPER / "numbers.yaml").read_text(encoding="utf-8"))

BACKBONES = {"mbert": "bert-base-multilingual-cased", "xlmr": "xlm-roberta-base"}
"""Note 6 of the paper."""
F1_TABLES = ("table1", "table2", "table3")
REFERENCE = re.compile(r"(?P<path>[\w./-]+\.(?:py|yaml|md))(?::(?P<name>\w+(?:\.\w+)*))?")


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
    assert "WarmupSettings.rounds" in names_in(ROOT / "trainers" / "settings.py")
    assert "no_such_function" not in names_in(ROOT / "trainers" / "warmup.py")

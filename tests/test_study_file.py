import re
from pathlib import Path

import pytest

from orchestrator.study_file import read_study
from projection.errors import InputError
from tests.studies import write_study


@pytest.fixture
def study(tmp_path: Path, tiny_bert: Path) -> Path:
    return write_study(tmp_path, tiny_bert)


# What is written instead of what, and what the message must say besides the line.
MISTAKES = {
    "unknown key": ("  batch_size: 8", "  batchsize: 8", "unknown key 'batchsize'.*'batch_size'"),
    "unknown top-level key": ("seeds:", "seed:", "unknown key 'seed'; did you mean 'seeds'"),
    "unknown task": ("task: ner", "task: nre", "unknown task 'nre'; known: ner"),
    "learning rate": ("learning_rate: 0.01", "learning_rate: 0", "learning_rate.*greater than 0"),
    "no step left": ("select_after: 2", "select_after: 6", r"select_after \(6\).*steps \(6\)"),
    "a seed twice": ("seeds:\n- 1\n", "seeds:\n- 1\n- 1\n", "listed twice: 1"),
    "no number": ("  steps: 6", "  steps: many", "steps.*integer.*'many'"),
    "unknown aligner": ("data:\n", "data:\n  aligner: giza\n", "unknown aligner 'giza'.*eflomal"),
    "unknown mapping": ("data:\n", "data:\n  mapping: eq2\n", "unknown mapping 'eq2'"),
    "useless mapping setting": (
        "data:\n",
        "data:\n  mapping: {rule: word-to-word, max_gap: 1}\n",
        "word-to-word mapping does not read max_gap",
    ),
    "links as second opinion": (
        "data:\n",
        "data:\n  alignment: {second: 'pharaoh:x'}\n",
        "second cannot be a file of links",
    ),
    "source as target": ("- es\n", "- en\n", "source language en is also among the targets"),
    "missing file": ("dev: en.dev.conll", "dev: nowhere.conll", "data.dev: no such file"),
    "not YAML": ("task: ner", "task: [ner", "not YAML"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_read_study_names_file_line_and_cure_of_a_mistake(mistake: str, study: Path) -> None:
    right, wrong, message = MISTAKES[mistake]
    text = study.read_text()
    assert right in text
    study.write_text(text.replace(right, wrong, 1))
    with pytest.raises(InputError, match=message) as caught:
        read_study(study)
    assert re.match(rf"{re.escape(str(study))}:\d+: ", str(caught.value))


def test_read_study_shows_every_mistake_with_its_own_line(study: Path) -> None:
    lines = study.read_text().splitlines()
    first = next(k for k, line in enumerate(lines) if line == "task: ner")
    second = next(k for k, line in enumerate(lines) if "batch_size" in line)
    lines[first], lines[second] = "task: parsing", "  batch_size: 0"
    study.write_text("\n".join(lines))
    with pytest.raises(InputError) as caught:
        read_study(study)
    shown = str(caught.value).splitlines()
    assert [line.split(":")[1] for line in shown] == [str(first + 1), str(second + 1)]


def test_unknown_strategy_is_refused_with_the_nearest_one(study: Path) -> None:
    with pytest.raises(InputError, match=r"unknown strategy 'mtl_ws'; did you mean mtl-ws\?"):
        read_study(study, ["strategies=[mtl_ws]"])


def test_override_reaches_a_nested_setting_and_keeps_its_neighbours(study: Path) -> None:
    plain, changed = read_study(study), read_study(study, ["training.steps=9", "seeds=[3, 4]"])
    assert changed.training.steps == 9
    assert changed.training.batch_size == plain.training.batch_size
    assert changed.seeds == (3, 4)


def test_a_mistake_in_an_override_is_blamed_on_the_override(study: Path) -> None:
    with pytest.raises(InputError, match=r"^--set training.learning_rate: .*greater than 0"):
        read_study(study, ["training.learning_rate=-1"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainnig.steps=9", r"^--set trainnig\.steps: unknown key 'trainnig'.*'training'\?$"),
        ("data.mappings.rule=x", r"^--set data\.mappings\.rule: unknown key 'mappings'.*'mapping'"),
        ("data.mapping.rul=x", r"^--set unknown key 'rul'; did you mean 'rule'\?$"),
        ("seeds.first=3", r"^--set seeds\.first: seeds: .*tuple.*'first': 3"),
        ("name.first=tiny", r"^--set name\.first: name: .*string"),
    ],
)
def test_a_wrong_key_in_an_override_is_blamed_on_the_override_wherever_in_it_it_stands(
    study: Path, override: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_study(study, [override])


def test_an_override_below_a_setting_that_the_file_has_wrong_leaves_the_blame_on_the_file(
    study: Path,
) -> None:
    study.write_text(study.read_text().replace("  steps: 6", "  steps: 6\n  pace: 3", 1))
    with pytest.raises(InputError, match=r"study\.yaml:\d+: unknown key 'pace'"):
        read_study(study, ["training.batch_size=4"])


def test_a_task_of_ones_own_needs_no_code(study: Path) -> None:
    task = read_study(study, ["task={name: chunks, scheme: bio, labels: [NP, VP]}"]).task
    assert (task.name, task.scheme, task.labels) == ("chunks", "bio", ("NP", "VP"))


def test_paths_are_relative_to_the_study_file_wherever_the_command_runs(
    study: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    read = read_study(study)
    assert read.path(read.data.train.path[0], "en") == study.parent / "en.train.conll"


def test_fewer_targets_need_no_change_where_every_language_has_its_file(study: Path) -> None:
    files = "{es: es.test.conll, de: de.test.conll, nl: nl.test.conll}"
    assert read_study(study, [f"data.test={files}", "targets=[es]"]).targets == ("es",)
    with pytest.raises(InputError, match=r"data\.test has ess; the targets are es"):
        read_study(study, ['data.test={"*": es.test.conll, ess: de.test.conll}', "targets=[es]"])


def test_a_trimmed_mean_that_would_trim_nothing_is_refused(study: Path) -> None:
    override = "warmup.aggregation=trimmed-mean"
    with pytest.raises(InputError, match=r"warmup.trim 0.25 of 3 targets leaves none out"):
        read_study(study, [override])
    assert read_study(study, [override, "warmup.trim=0.34"]).warmup.trim == 0.34


def test_a_transport_is_placement_and_an_unknown_one_is_refused(study: Path) -> None:
    asked = read_study(study, ["cluster.warmup_transport=collective"])
    assert asked.cluster.warmup_transport == "collective"
    assert asked.warmup == read_study(study).warmup
    with pytest.raises(InputError, match="'shared-memory', 'object-store' or 'collective'"):
        read_study(study, ["cluster.warmup_transport=carrier-pigeon"])

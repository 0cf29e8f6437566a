"""A study that stands on another one says only what is different."""

from pathlib import Path

import pytest
import yaml

from orchestrator.plan import make_plan
from orchestrator.study_file import read_study
from projection.errors import InputError
from tests.studies import write_study


@pytest.fixture
def base(tmp_path: Path, tiny_bert: Path) -> Path:
    return write_study(tmp_path, tiny_bert)


def variant(base: Path, text: str, name: str = "variant.yaml") -> Path:
    """A study in a folder of its own that stands on ``base``."""
    folder = base.parent / "variants"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def test_a_variant_repeats_nothing_and_keeps_the_settings_beside_those_it_changes(
    base: Path,
) -> None:
    path = variant(base, "base: ../study.yaml\nname: long\ntraining: {steps: 9}\nseeds: [7]\n")
    plain, changed = read_study(base), read_study(path)
    assert (changed.name, changed.seeds, changed.training.steps) == ("long", (7,), 9)
    assert changed.training.learning_rate == plain.training.learning_rate
    assert changed.data == plain.data
    assert changed.data_root.resolve() == plain.data_root.resolve()


def test_a_variant_shares_every_step_that_it_does_not_change(base: Path) -> None:
    path = variant(base, "base: ../study.yaml\nname: rate\ntraining: {learning_rate: 0.02}\n")
    plain, changed = (
        {(step.kind, step.fingerprint) for step in make_plan(read_study(one)).steps}
        for one in (base, path)
    )
    assert {kind for kind, _ in plain & changed} == {"project", "encode", "probe", "warmup"}


def test_a_setting_of_a_block_is_replaced_whole(base: Path) -> None:
    files = "{es: es.test.conll, de: de.test.conll, nl: nl.test.conll}"
    path = variant(base, f"base: ../study.yaml\nname: own-tests\ndata: {{test: {files}}}\n")
    assert list(read_study(path).data.test) == ["es", "de", "nl"]


def test_a_base_may_stand_on_another_and_overrides_are_put_over_all(base: Path) -> None:
    variant(base, "base: ../study.yaml\nname: one\ntraining: {steps: 9, batch_size: 4}\n", "1.yaml")
    path = variant(base, "base: 1.yaml\nname: two\ntraining: {steps: 11}\n", "2.yaml")
    study = read_study(path, ["training.evaluate_every=1"])
    assert study.name == "two"
    training = study.training
    assert (training.steps, training.batch_size, training.evaluate_every) == (11, 4, 1)


def test_data_root_is_relative_to_the_file_that_says_it(base: Path) -> None:
    content = yaml.safe_load(base.read_text()) | {"data_root": "variants/.."}
    base.write_text(yaml.safe_dump(content))
    inherited = variant(base, "base: ../study.yaml\nname: a\n")
    assert read_study(inherited).data_root == base.parent / "variants" / ".." / "variants" / ".."
    own = variant(base, "base: ../study.yaml\nname: b\ndata_root: ..\n", "own.yaml")
    assert read_study(own).data_root == own.parent / ".."


def test_a_mistake_is_shown_in_the_file_that_makes_it(base: Path) -> None:
    text = "base: ../study.yaml\nname: wrong\ntraining:\n  steps: many\n"
    with pytest.raises(InputError, match=r"variant\.yaml:4: training\.steps: .*'many'"):
        read_study(variant(base, text))
    broken = base.read_text().replace("batch_size: 8", "batch_size: 0")
    base.write_text(broken)
    line = 1 + broken.splitlines().index("  batch_size: 0")
    with pytest.raises(InputError, match=rf"study\.yaml:{line}: training\.batch_size"):
        read_study(variant(base, text.replace("many", "9")))


def test_a_name_is_not_inherited_because_it_names_an_experiment_in_mlflow(base: Path) -> None:
    with pytest.raises(InputError, match=r"variant\.yaml:1: name is missing"):
        read_study(variant(base, "base: ../study.yaml\nseeds: [2]\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nbase: nowhere.yaml\n", r"variant\.yaml:2: base: no such file: .*nowhere\.yaml"),
        ("name: a\nbase: [1]\n", r"variant\.yaml:2: base: expected the path of a study file, got"),
        ("name: a\nbase: variant.yaml\n", r"variant\.yaml:2: base: .* stands on this file itself"),
    ],
)
def test_a_base_that_cannot_be_is_refused_with_its_line(
    base: Path, text: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_study(variant(base, text))


def test_an_override_of_a_setting_of_the_base_is_blamed_on_the_override(base: Path) -> None:
    path = variant(base, "base: ../study.yaml\nname: a\n")
    with pytest.raises(InputError, match=r"^--set training.learning_rate: .*greater than 0"):
        read_study(path, ["training.learning_rate=-1"])

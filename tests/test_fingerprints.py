"""Identity: what changes a fingerprint, what does not, and what is refused."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from orchestrator.fingerprints import canonical, file_hash, fingerprint, identity, placement
from orchestrator.plan import make_plan
from orchestrator.steps.base import Step, Surroundings
from orchestrator.study_file import read_study
from tests.generators import law
from tests.studies import write_study


@dataclass(frozen=True, kw_only=True)
class Setting:
    folder: Path = placement()
    rate: float
    names: tuple[str, ...] = ()


def test_placement_does_not_enter_the_fingerprint() -> None:
    here, there = Setting(folder=Path("a"), rate=0.1), Setting(folder=Path("b"), rate=0.1)
    assert fingerprint(here) == fingerprint(there)


def test_every_other_field_enters_the_fingerprint() -> None:
    plain = Setting(folder=Path("a"), rate=0.1)
    changed = [
        Setting(folder=Path("a"), rate=0.2),
        Setting(folder=Path("a"), rate=0.1, names=("x",)),
    ]
    assert len({fingerprint(setting) for setting in [plain, *changed]}) == 3
    assert identity(plain) == {"rate": 0.1, "names": []}


def test_fingerprint_is_the_sha256_of_the_sorted_json() -> None:
    # printf '{"a": [1, null], "b": "ü"}' | sha256sum
    expected = "c4f98f0ec923c199e7a55256d0502ce390157ae44300740281304c42acec28c4"
    assert fingerprint({"b": "ü", "a": (1, None)}) == expected


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=3), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@law
@given(json_values)
def test_plain_json_is_its_own_canonical_form_and_survives_a_file(value: Any) -> None:
    assert canonical(value) == value
    assert fingerprint(json.loads(json.dumps(value))) == fingerprint(value)


@law
@given(json_values, json_values)
def test_two_values_have_one_fingerprint_just_if_they_are_the_same_text(
    one: Any, other: Any
) -> None:
    texts = [json.dumps(value, sort_keys=True) for value in (one, other)]
    assert (fingerprint(one) == fingerprint(other)) == (texts[0] == texts[1])


@law
@given(st.dictionaries(st.text("abc", max_size=2), st.integers(), max_size=4), st.randoms())
def test_the_order_of_keys_does_not_matter(value: dict[str, int], random: Any) -> None:
    keys = list(value)
    random.shuffle(keys)
    assert fingerprint({key: value[key] for key in keys}) == fingerprint(value)


class Colour(StrEnum):
    RED = "red"


def test_a_tuple_is_its_list_and_an_enum_its_value() -> None:
    assert canonical((1, (Colour.RED,))) == [1, ["red"]]


class NotAFingerprint:
    def fingerprint(self) -> str:
        return "of a method"


UNSTABLE = [
    Path("x"),
    float("nan"),
    float("inf"),
    float("-inf"),
    {1: 2},
    {None: 2},
    print,
    lambda: 0,
    {1, 2},
    frozenset("a"),
    object(),
    b"bytes",
    1j,
    Setting,
    NotAFingerprint(),
    iter([1]),
]
NESTED: dict[str, Callable[[object], object]] = {
    "itself": lambda value: value,
    "in a list": lambda value: [1, [value]],
    "in a mapping": lambda value: {"a": {"b": value}},
    "in a dataclass": lambda value: Setting(folder=Path(), rate=value),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("nest", NESTED.values(), ids=NESTED)
@pytest.mark.parametrize("value", UNSTABLE, ids=lambda value: type(value).__name__)
def test_what_has_no_stable_form_is_refused_wherever_it_is(
    value: object, nest: Callable[[object], object]
) -> None:
    with pytest.raises(TypeError, match="no stable form"):
        fingerprint(nest(value))


def test_a_changed_default_and_a_new_field_change_the_fingerprint_of_settings_left_alone() -> None:
    class Old(BaseModel):
        rate: float = 0.1

    class Changed(BaseModel):
        rate: float = 0.2

    class Grown(BaseModel):
        rate: float = 0.1
        decay: float = 0.0

    assert len({fingerprint(settings()) for settings in (Old, Changed, Grown)}) == 3
    assert fingerprint(Old()) == fingerprint(Old(rate=0.1))


@dataclass(frozen=True, kw_only=True)
class First(Step):
    kind: ClassVar[str] = "first"

    def title(self) -> str:
        return "first"

    def run(self, folder: Path, around: Surroundings) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, kw_only=True)
class Revised(First):
    version: ClassVar[int] = 2


@dataclass(frozen=True, kw_only=True)
class Second(First):
    kind: ClassVar[str] = "second"
    first: First


def test_a_raised_version_changes_the_step_and_all_that_need_it() -> None:
    assert First().fingerprint == First().fingerprint != Revised().fingerprint
    assert Second(first=First()).fingerprint != Second(first=Revised()).fingerprint


def test_the_hash_of_a_file_is_that_of_its_bytes_after_every_change(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"one", b"two!"):
        path.write_bytes(content)
        assert file_hash(path) == hashlib.sha256(content).hexdigest()


def _data_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name != "study.yaml")


def test_a_changed_word_in_any_data_file_changes_the_study(tmp_path: Path, tiny_bert: Path) -> None:
    study = write_study(tmp_path, tiny_bert)
    seen = {make_plan(read_study(study)).fingerprint}
    files = _data_files(tmp_path)
    assert len(files) == 8  # train, dev, and for each target a test set and a translation
    for file in files:
        before = file.read_text()
        first_word = before.split()[0]
        file.write_text(before.replace(first_word, f"{first_word}x", 1))
        seen.add(make_plan(read_study(study)).fingerprint)
        file.write_text(before)
    assert len(seen) == 1 + len(files)


@pytest.mark.parametrize(
    "override",
    [
        "cluster.address=10.0.0.1:6379",
        "cluster.warmup_workers=2",
        "resources={finetune: {gpus: 0.5, retries: 0}, default: {memory_gib: 8}}",
    ],
)
def test_another_cluster_is_the_same_study(override: str, tmp_path: Path, tiny_bert: Path) -> None:
    study = write_study(tmp_path, tiny_bert)
    here, there = (make_plan(read_study(study, some)) for some in ([], [override]))
    assert here.fingerprint == there.fingerprint
    assert [step.fingerprint for step in here.steps] == [step.fingerprint for step in there.steps]

from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.fingerprints import canonical, fingerprint, identity, placement


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


@pytest.mark.parametrize("value", [Path("x"), float("nan"), float("inf"), {1: 2}, print, {1, 2}])
def test_what_has_no_stable_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no stable form"):
        canonical(value)

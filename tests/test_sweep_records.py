"""Records of sweeps: what was written is read, on any store; what is damaged is named."""

import pytest
from pydantic import ValidationError

from orchestrator.store import StepStore
from orchestrator.sweep.records import (
    Cost,
    Point,
    Sweep,
    SweepRecords,
    Trial,
    TrialState,
    all_sweeps,
    best,
    steps_in_use,
    total,
)
from orchestrator.sweep.space import Range, Space, Values
from projection.errors import InputError

SPACE: Space = {
    "warmup.rounds": Values(kind="grid", values=(50, 75)),
    "training.learning_rate": Range(kind="log-uniform", low=1e-5, high=1e-3),
}


def _sweep(fingerprint: str = "a" * 64, started: str = "2026-11-25T10:00:00+00:00") -> Sweep:
    return Sweep(
        fingerprint=fingerprint,
        study="tiny",
        task="ner",
        backbone="bert",
        strategy="mtl-ws",
        source="en",
        targets=("es", "de"),
        parameters=SPACE,
        base={"warmup.rounds": 50, "training.learning_rate": 2e-5},
        metric="dev_f1",
        searcher="random",
        scheduler="none",
        seeds=(1, 2),
        trials=8,
        started=started,
    )


def _trial(number: int = 0, **known: object) -> Trial:
    plain = {
        "id": f"{number:064x}",
        "number": number,
        "settings": {"warmup.rounds": 50, "training.learning_rate": 2e-5},
        "seeds": (1, 2),
    }
    return Trial.model_validate(plain | known)


def test_what_was_written_is_read_from_any_store(any_store: StepStore) -> None:
    records = SweepRecords(any_store.files, "a" * 64)
    assert records.sweep() is None
    assert records.trials() == []
    second = _trial(
        1,
        state=TrialState.STOPPED,
        scores={1: 50.5, 2: 51.5},
        curve=(Point(step=20, score=51.0),),
        executed=Cost(warmup=250, finetune=20),
        steps=("b" * 64,),
    )
    records.write_sweep(_sweep())
    records.write_trial(second)
    records.write_trial(_trial(0))
    records.write_trial(_trial(0, state=TrialState.RUNNING))
    assert SweepRecords(any_store.files, "a" * 64).sweep() == _sweep()
    assert records.trials() == [_trial(0, state=TrialState.RUNNING), second]
    assert steps_in_use(any_store.files) == {"b" * 64}


def test_sweeps_of_a_store_come_oldest_first(any_store: StepStore) -> None:
    late, early = _sweep("a" * 64), _sweep("b" * 64, "2026-11-24T10:00:00+00:00")
    for sweep in (late, early):
        SweepRecords(any_store.files, sweep.fingerprint).write_sweep(sweep)
    assert all_sweeps(any_store.files) == [early, late]


def test_a_damaged_record_is_named(any_store: StepStore) -> None:
    any_store.files.write(f"sweeps/{'a' * 64}/trials/x.json", b'{"id": 1')
    with pytest.raises(InputError, match=r"trials/x.json of the store is no record of a sweep"):
        SweepRecords(any_store.files, "a" * 64).trials()


def test_score_of_a_trial_is_the_mean_over_its_seeds_and_none_while_one_is_missing() -> None:
    assert _trial(scores={1: 50.0, 2: 54.0}).score == 52.0
    assert _trial(scores={1: 50.0, 2: 54.0}).spread == pytest.approx(8**0.5)
    assert _trial(scores={1: 50.0}).score is None


def test_best_is_the_finished_trial_with_the_highest_score_and_the_earlier_of_equal_ones() -> None:
    done = {"state": TrialState.FINISHED}
    stopped = _trial(0, state=TrialState.STOPPED, scores={1: 90.0, 2: 90.0})
    low = _trial(1, scores={1: 50.0, 2: 52.0}, **done)
    first = _trial(2, scores={1: 60.0, 2: 62.0}, **done)
    second = _trial(3, scores={1: 61.0, 2: 61.0}, **done)
    assert best([stopped, low, second, first]) == first
    assert best([stopped]) is None


def test_costs_add_up() -> None:
    costs = [Cost(warmup=100, finetune=7), Cost(finetune=3)]
    assert total(costs) == Cost(warmup=100, finetune=10)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"kind": "uniform", "low": 2, "high": 1}, "above high"),
        ({"kind": "uniform", "low": 1, "high": 1}, "empty range"),
        ({"kind": "log-uniform", "low": 0, "high": 1}, "starts above 0"),
        ({"kind": "integer", "low": 0.5, "high": 2}, "whole ends"),
        ({"kind": "uniform", "low": float("nan"), "high": 2}, "finite"),
    ],
)
def test_a_range_that_is_none_is_refused(wrong: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Range.model_validate(wrong)


def test_values_listed_twice_are_refused() -> None:
    with pytest.raises(ValidationError, match="listed twice: 5"):
        Values(kind="choice", values=(5, 6, 5))

"""The ``sweep`` block: what is refused and where, what is tried, what a sweep is known by."""

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from experiments.sweep import sweep
from orchestrator.study_file import read_study
from orchestrator.sweep.naming import setting_names, with_settings
from orchestrator.sweep.points import contains, draws, grid
from orchestrator.sweep.records import Trial
from orchestrator.sweep.settings import SweepSettings
from orchestrator.sweep.standing import curve_of, scores_by_seed
from orchestrator.sweep.trials import TrialPlanner, numbered, sweep_fingerprint
from projection.errors import InputError
from tests.studies import write_study

LR = "training.learning_rate"


def read(folder: Path, backbone: Path, **settings: Any) -> Any:
    block = {"parameters": {LR: [0.01, 0.001]}} | settings
    return read_study(write_study(folder, backbone, sweep=block))


def line_of(folder: Path, text: str) -> int:
    lines = (folder / "study.yaml").read_text().splitlines()
    return max(n for n, line in enumerate(lines, start=1) if text in line)


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        (
            {"training.learning_rat": [0.1]},
            "no such setting; did you mean 'training.learning_rate'",
        ),
        ({LR: []}, "at least 1 item"),
        ({LR: {"uniform": [0.1, 0.01]}}, r"low \(0.1\) is above high \(0.01\)"),
        ({LR: {"uniform": [0.1, 0.1]}}, "empty range"),
        ({LR: {"log-uniform": [0, 0.1]}}, "starts above 0"),
        ({LR: {"uniform": [0.1, 2]}}, "should be less than 1, got 2"),
        ({"warmup.outer_optimizer": ["adam", "lion"]}, "got 'lion'"),
        ({LR: "all"}, "expected a list of values"),
        ({LR: {"log_uniform": [0.1, 0.2]}}, "expected a list of values"),
        ({"cluster.warmup_workers": [1, 2]}, "a sweep cannot vary it: it says where steps run"),
        ({"seeds": [1, 2]}, "they belong to every trial: sweep.seeds"),
        ({"data.dev_share": [0.1]}, "scores on different development sets cannot be compared"),
    ],
)
def test_a_parameter_that_cannot_be_swept_is_refused_at_its_line(
    parameters: dict[str, Any], problem: str, tiny_bert: Path, tmp_path: Path
) -> None:
    settings = {"searcher": "random", "trials": 3, "parameters": parameters}
    with pytest.raises(InputError, match=problem) as refused:
        read(tmp_path, tiny_bert, **settings)
    line = line_of(tmp_path, f"{next(iter(parameters))}:")
    assert f"study.yaml:{line}: " in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"metric": "test_f1.es"}, "is of a target language: to choose by it would need gold"),
        ({"metric": "accuracy"}, "unknown metric 'accuracy'; known: dev_f1"),
        ({"scheduler": "pbt"}, "pbt changes the settings of a model while it trains"),
        ({"scheduler": "hyperband"}, "unknown scheduler 'hyperband'; known: none, asha"),
        ({"searcher": "bayes"}, "unknown searcher 'bayes'; known: grid, random, optuna, nevergrad"),
        ({"searcher": "optuna"}, "the searcher optuna needs a number of trials"),
        ({"strategy": "mtl_ws"}, "did you mean mtl-ws"),
        ({"trails": 3}, "unknown key 'trails'; did you mean 'trials'"),
        ({"parameters": {LR: {"uniform": [0.1, 0.2]}}}, "a grid needs a list of values"),
        (
            {"parameters": {LR: {"grid": [0.1]}}, "searcher": "optuna", "trials": 2},
            "the searcher optuna chooses what it tries; write choice",
        ),
        (
            {"parameters": {"warmup.rounds": [1, 2]}, "strategy": "zero-shot"},
            "it changes nothing: zero-shot has no warm-up",
        ),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused_with_the_reason(
    settings: dict[str, Any], problem: str, tiny_bert: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=problem) as refused:
        read(tmp_path, tiny_bert, **settings)
    assert "study.yaml:" in str(refused.value)


def test_every_setting_that_may_be_swept_can_be_set_by_its_name(
    tiny_bert: Path, tmp_path: Path
) -> None:
    study = read(tmp_path, tiny_bert)
    assert {LR, "warmup.rounds", "backbone.num_layers", "data.mapping.max_gap"} <= set(
        setting_names()
    )
    changed = with_settings(study, {LR: 0.5, "warmup.outer_lr": 0.25, "backbone.num_layers": 1})
    assert (changed.training.learning_rate, changed.warmup.outer_lr) == (0.5, 0.25)
    assert changed.backbone.num_layers == 1
    assert study.training.learning_rate == 0.01


def test_a_grid_is_every_combination_and_the_first_parameter_changes_slowest() -> None:
    settings = SweepSettings.model_validate({"parameters": {"a": [1, 2], "b": ["x", "y"]}})
    points = list(grid(settings.parameters))
    assert points == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
    ]
    assert settings.size == 4


SPACE = {
    "rate": {"log-uniform": [1e-5, 1e-3]},
    "share": {"uniform": [0.25, 0.75]},
    "rounds": {"integer": [10, 12]},
    "kind": {"choice": ["adam", "sgd"]},
}


def test_draws_lie_in_the_space_reach_both_ends_and_repeat_for_the_same_seed() -> None:
    space = SweepSettings.model_validate(
        {"parameters": SPACE, "searcher": "random", "trials": 1}
    ).parameters
    points = list(islice(draws(space, seed=7), 60))
    assert all(contains(space, point) for point in points)
    assert {point["rounds"] for point in points} == {10, 11, 12}
    assert {point["kind"] for point in points} == {"adam", "sgd"}
    assert sum(point["rate"] < 1e-4 for point in points) > 15, "equal ratios are equally likely"
    assert list(islice(draws(space, seed=7), 10)) == points[:10]
    assert next(draws(space, seed=8)) != points[0]
    assert not contains(space, points[0] | {"rounds": 13})


def test_each_draw_is_made_with_every_value_of_a_grid() -> None:
    parameters = {"rate": {"uniform": [0, 1]}, "layers": {"grid": [3, 6]}}
    space = SweepSettings.model_validate(
        {"parameters": parameters, "searcher": "random", "trials": 1}
    ).parameters
    first, second, third = islice(draws(space, seed=0), 3)
    assert (first["layers"], second["layers"], third["layers"]) == (3, 6, 3)
    assert first["rate"] == second["rate"] != third["rate"]


def test_a_large_grid_wants_a_yes(tiny_bert: Path, tmp_path: Path) -> None:
    parameters = {"warmup.rounds": list(range(1, 68)), "warmup.steps": [1, 2, 3]}
    write_study(tmp_path, tiny_bert, sweep={"parameters": parameters})
    refused = CliRunner().invoke(sweep, [str(tmp_path / "study.yaml")])
    assert isinstance(refused.exception, InputError)
    assert "the grid has 201 trials of 1 seeds each, more than 200; give --yes" in str(
        refused.exception
    )


def test_a_study_without_a_sweep_and_a_ray_client_are_refused(
    tiny_bert: Path, tmp_path: Path
) -> None:
    study = str(write_study(tmp_path, tiny_bert))
    refused = CliRunner().invoke(sweep, [study])
    assert "the study tiny has no `sweep:` block" in str(refused.exception)
    study = str(write_study(tmp_path, tiny_bert, sweep={"parameters": {LR: [0.1]}}))
    refused = CliRunner().invoke(sweep, [study, "--address", "ray://head:10001"])
    assert "Ray Tune cannot search through a Ray Client" in str(refused.exception)


def test_the_command_line_replaces_what_is_tried_for_a_setting(
    tiny_bert: Path, tmp_path: Path
) -> None:
    study = write_study(tmp_path, tiny_bert, sweep={"parameters": {LR: [0.1], "warmup.steps": [5]}})
    block = read_study(study, [f"sweep.parameters.{LR}=[0.2, 0.3]"]).sweep
    assert list(grid(block.parameters)) == [
        {LR: 0.2, "warmup.steps": 5},
        {LR: 0.3, "warmup.steps": 5},
    ]


def test_yaml_numbers_without_a_point_are_numbers() -> None:
    settings = SweepSettings.model_validate({"parameters": {LR: ["5e-4", 1e-5]}})
    assert list(grid(settings.parameters)) == [{LR: 0.0005}, {LR: 1e-5}]


def test_a_sweep_is_known_by_what_its_trials_have_in_common(
    tiny_bert: Path, tmp_path: Path
) -> None:
    first = sweep_fingerprint(read(tmp_path, tiny_bert))
    same = [
        {"parameters": {LR: [0.01, 0.001, 0.1]}},
        {"parameters": {LR: {"uniform": [0.1, 0.2]}}, "searcher": "random", "trials": 4},
        {"concurrency": 7, "minutes": 3},
    ]
    assert {sweep_fingerprint(read(tmp_path, tiny_bert, **one)) for one in same} == {first}
    other = [
        {"seeds": [1, 2]},
        {"metric": "dev_f1_last"},
        {"strategy": "zero-shot"},
        {"parameters": {LR: [0.01], "warmup.rounds": [2]}},
    ]
    assert (
        len({sweep_fingerprint(read(tmp_path, tiny_bert, **one)) for one in other} - {first}) == 4
    )


def test_a_sweep_changes_with_its_data_but_not_with_target_gold(
    tiny_bert: Path, tmp_path: Path
) -> None:
    study = read(tmp_path, tiny_bert)
    first = sweep_fingerprint(study)
    gold = tmp_path / "es.test.conll"
    gold.write_text(gold.read_text().replace("B-PER", "B-LOC").replace("I-PER", "I-LOC"))
    assert sweep_fingerprint(study) == first
    train = tmp_path / "en.train.conll"
    train.write_text(train.read_text().replace("B-PER", "B-LOC"))
    assert sweep_fingerprint(study) != first


def test_settings_are_kept_as_the_study_holds_them(tiny_bert: Path, tmp_path: Path) -> None:
    planner = TrialPlanner(read(tmp_path, tiny_bert))
    assert planner.settings({"warmup.rounds": 3.0, LR: "5e-4"}) == {LR: 0.0005, "warmup.rounds": 3}
    with pytest.raises(InputError, match=r"select_after \(9\) must be below steps \(6\)"):
        planner.settings({"training.select_after": 9})


def test_a_drawn_number_that_comes_back_with_other_last_bits_is_the_same_trial(
    tiny_bert: Path, tmp_path: Path
) -> None:
    space = {LR: {"log-uniform": [1e-5, 0.012345678]}}
    planner = TrialPlanner(read(tmp_path, tiny_bert, parameters=space, searcher="random", trials=1))
    assert planner.settings({LR: 0.0001234567}) == planner.settings({LR: 0.00012345670000001})
    assert planner.settings({LR: 0.012345678}) == {LR: 0.012345678}, "never beyond an end"


def test_trials_keep_their_numbers_when_a_grid_grows() -> None:
    known = [
        Trial(id=one, number=number, settings={}, seeds=(1,))
        for one, number in (("a", 0), ("c", 1))
    ]
    assert numbered(known, ["a", "b", "c", "d"]) == {"a": 0, "b": 2, "c": 1, "d": 3}


def test_a_trial_that_left_no_record_before_a_kill_has_the_number_it_had() -> None:
    known = [Trial(id="b", number=1, settings={}, seeds=(1,))]
    assert numbered(known, ["a", "b", "c"]) == {"a": 0, "b": 1, "c": 2}


def test_the_curve_of_a_trial_is_the_mean_over_seeds_where_all_models_have_been() -> None:
    models = {
        1: [[(20, 50.0), (40, 40.0)], [(20, 70.0), (40, 80.0)]],
        2: [[(20, 20.0), (40, 30.0), (60, 90.0)], [(20, 40.0)]],
    }
    assert [(p.step, p.score) for p in curve_of("dev_f1", models)] == [(20, 45.0)]
    assert scores_by_seed("dev_f1", models) == {1: 65.0, 2: 30.0}
    assert scores_by_seed("dev_f1_last", models) == {1: 60.0, 2: 30.0}

"""What is made of a sweep's trials: means, shares, heat maps; and how all of it is written."""

import csv
import io
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.reports.sweep_figures import drawings, pngs
from experiments.reports.sweep_numbers import (
    BINS,
    MOST_LEVELS,
    explained,
    heat_map,
    is_compared,
    levels,
    marginal,
    near_the_best,
    ranking,
    spent,
)
from experiments.reports.sweep_report import FORMATS, logged_files, sweep_document
from orchestrator.sweep.records import Cost, Trial, TrialState
from orchestrator.sweep.space import Range, Values
from tests.generators import law
from tests.trial_grids import GRID, RATE, ROUNDS, STEPS, additive, grid_of, sweep, trial


def _marginals(name: str, trials: list[Trial]) -> dict[str, tuple[float | None, float, int]]:
    return {
        one.level.label: (one.mean, round(one.spread, 6), one.left_out)
        for one in marginal(name, trials, GRID[name])
    }


def test_a_marginal_is_the_mean_over_all_other_settings_with_its_spread() -> None:
    # At Z = 50: 60, 50, 62, 52; mean 56, squares 16 + 36 + 36 + 16 over 3.
    assert _marginals(ROUNDS, additive()) == {
        "50": (56.0, round(math.sqrt(104 / 3), 6), 0),
        "100": (60.0, round(math.sqrt(104 / 3), 6), 0),
    }
    assert [mean for mean, _, _ in _marginals(RATE, additive()).values()] == [53.0, 63.0]


def test_levels_of_numbers_are_in_their_order_and_those_without_a_trial_are_there() -> None:
    parameter = Values(kind="grid", values=(5e-4, 1e-5))
    few = [trial(0, {RATE: 2e-5}, 60.0)]
    assert [one.label for one in levels(RATE, few, parameter)] == ["1e-05", "2e-05", "0.0005"]
    assert [one.mean for one in marginal(RATE, few, parameter)] == [None, 60.0, None]


def test_names_and_switches_are_levels_in_the_order_of_the_space() -> None:
    parameter = Values(kind="choice", values=("median", "mean", True))
    trials = [trial(0, {"x": "mean"}, 60.0), trial(1, {"x": True}, 50.0)]
    assert [one.label for one in levels("x", trials, parameter)] == ["median", "mean", "true"]
    assert math.isnan(levels("x", trials, parameter)[0].centre)


@law
@given(st.lists(st.floats(1e-6, 1e-2), min_size=1, max_size=60))
def test_every_value_of_a_range_is_in_exactly_one_level(values: list[float]) -> None:
    trials = [trial(number, {RATE: value}, 50.0) for number, value in enumerate(values)]
    found = levels(RATE, trials, Range(kind="log-uniform", low=1e-6, high=1e-2))
    everything = [value for level in found for value in level.values]
    assert everything == sorted(set(values))
    few = len(everything) <= MOST_LEVELS
    assert len(found) == (len(everything) if few else BINS)
    assert sum(len(one.scores) for one in marginal(RATE, trials)) == len(values)
    for level in found:
        low, high = level.values[0], level.values[-1]
        assert low * (1 - 1e-9) <= level.centre <= high * (1 + 1e-9)


LOST: dict[str, dict[str, Any]] = {
    "failed": {"state": TrialState.FAILED, "scores": {}},
    "stopped early": {"state": TrialState.STOPPED, "scores": {1: 99.0}},
    "running": {"state": TrialState.RUNNING, "scores": {1: 99.0}},
    "with a seed missing": {"seeds": (1, 2)},
    "with a score that is no number": {"scores": {1: math.nan}},
}


@pytest.mark.parametrize("fate", LOST)
def test_a_trial_is_shown_and_left_out_of_every_mean_if_it_is(fate: str) -> None:
    trials = additive()
    trials[-1] = trials[-1].model_copy(update=LOST[fate])
    assert not is_compared(trials[-1])
    mean, _, left_out = _marginals(ROUNDS, trials)["100"]
    assert (mean, left_out) == ((64 + 54 + 66) / 3, 1)
    assert ranking(trials)[-1] is trials[-1]
    text = FORMATS["text"](sweep(), trials)
    assert "1 of 8 trials are in no mean" in text
    assert "nan" not in re.sub("loss is nan", "", text).lower().split()


def test_shares_of_variance_of_an_additive_grid_add_up_to_one() -> None:
    trials = additive()
    # Deviations from the mean: 2 for Z, 1 for K, 5 for the rate; squares 4, 1 and 25 of 30.
    shares = [explained(marginal(name, trials)) for name in (ROUNDS, STEPS, RATE)]
    assert shares == [pytest.approx(4 / 30), pytest.approx(1 / 30), pytest.approx(25 / 30)]


def test_nothing_is_explained_by_one_value_or_by_equal_scores() -> None:
    assert explained(marginal(ROUNDS, additive()[:2])) is None
    flat = grid_of({(50, 5, 1e-4): 60.0, (100, 5, 1e-4): 60.0})
    assert explained(marginal(ROUNDS, flat)) is None


def test_a_heat_map_has_every_pair_and_says_which_have_no_score() -> None:
    trials = grid_of(
        {
            (50, 5, 1e-4): 60.0,
            (50, 5, 1e-5): 50.0,
            (50, 10, 1e-4): 62.0,
            (50, 10, 1e-5): None,
            (100, 5, 1e-4): None,
        }
    )
    heat = heat_map(ROUNDS, STEPS, trials, GRID)
    assert heat.means() == [[55.0, 62.0], [None, None]]
    left = [[heat.at(row, column).left_out for column in heat.columns] for row in heat.rows]
    assert left == [[0, 1], [1, 0]]
    lines = FORMATS["text"](sweep(), trials).splitlines()
    start = next(k for k, line in enumerate(lines) if "Z \\ K" in line)
    assert [line.split() for line in lines[start + 2 : start + 4]] == [
        ["50", "55.00", "62.00†"],
        ["100", "-", "(1)", "-"],
    ]
    assert "† over some of the other settings only; - no trial to compare; (n)" in "\n".join(lines)


def test_trials_are_ranked_by_score_then_number_and_those_not_compared_come_last() -> None:
    point = {RATE: 1e-4}
    stopped = trial(0, point, 90.0, state=TrialState.STOPPED)
    failed, low = trial(1, point, None), trial(2, point, 50.0)
    late, early = trial(4, point, 60.0), trial(3, point, 60.0)
    waiting = trial(5, point, None, state=TrialState.PENDING)
    found = ranking([failed, waiting, stopped, low, late, early])
    assert [one.number for one in found] == [3, 4, 2, 0, 5, 1]


def test_near_the_best_is_what_the_seeds_cannot_tell_from_it() -> None:
    point = {RATE: 1e-4}

    def two(number: int, low: float, high: float) -> Trial:
        return trial(number, point, 0.0, seeds=(1, 2), scores={1: low, 2: high})

    # The best is 62 with a deviation of sqrt(2); 61.9 and 60.5 are nearer than some deviation.
    trials = [two(0, 61, 63), two(1, 60.5, 60.5), two(2, 61.9, 61.9), two(3, 60.7, 60.7)]
    assert [one.number for one in near_the_best(trials)] == [0, 2, 3]
    wide = two(4, 58.0, 62.0)  # 60, two behind, with a deviation of 2.8
    assert [one.number for one in near_the_best([*trials, wide])] == [0, 2, 3, 4]
    assert [one.number for one in near_the_best(additive())] == [6]
    assert near_the_best([trial(0, point, None)]) == []


def test_the_cost_compares_what_was_taken_with_what_every_trial_would_have_taken_alone() -> None:
    costs = [
        (Cost(warmup=500, finetune=20), Cost(warmup=500, finetune=20)),
        (Cost(finetune=20), Cost(warmup=250, finetune=20)),
        (Cost(), Cost(warmup=250, finetune=20)),
    ]
    trials = [
        trial(number, dict.fromkeys(GRID, 50), 1.0, executed=executed, naive=naive)
        for number, (executed, naive) in enumerate(costs)
    ]
    found = {one.part: (one.naive, one.executed, one.factor) for one in spent(trials)}
    assert found["warm-up"] == (1000, 500, 2.0)
    assert found["fine-tuning"] == (60, 40, 1.5)
    assert found["both"] == (1060, 540, 1060 / 540)
    assert [one.factor for one in spent([])] == [None] * 3
    assert "1 finished trials needed nothing that was not there" in FORMATS["text"](sweep(), trials)


def test_the_best_setting_stands_beside_the_papers_table_6_and_its_ranges() -> None:
    (table,) = sweep_document(sweep(), additive()).sections[0].tables
    assert table.columns == ("setting", "best", "study", "paper, mBERT", "the paper searched")
    rows = {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}
    assert rows[ROUNDS] == ["100", "1", "100", "50, 75, 100"]
    assert rows[STEPS] == ["10", "1", "5", "5, 10, 20, 30"]
    assert rows[RATE] == ["0.0001", "1", "5e-05", "0.0005, 1e-05, 2e-05, 5e-05"]


def test_another_encoder_stands_beside_both_of_the_papers_and_another_task_beside_none() -> None:
    def columns(**known: Any) -> tuple[str, ...]:
        (table,) = sweep_document(sweep(**known), additive()).sections[0].tables
        return table.columns[3:]

    both = ("paper, mBERT", "paper, XLM-R", "the paper searched")
    assert columns(backbone="bundled:multilingual-e5-small") == both
    assert columns(task="chunks") == ()


def test_a_setting_that_the_paper_does_not_speak_of_has_a_dash() -> None:
    space = {"backbone.dropout": Values(kind="grid", values=(0.1, 0.2))}
    trials = [trial(0, {"backbone.dropout": 0.1}, 60.0)]
    (table,) = sweep_document(sweep(space), trials).sections[0].tables
    assert [cell.text for cell in table.rows[0]] == ["backbone.dropout", "0.1", "1", "-", "-"]


def test_a_sweep_without_a_finished_trial_has_a_report_and_no_drawing() -> None:
    for trials in ([], [trial(0, dict.fromkeys(GRID, 50), None)]):
        for form in FORMATS:
            assert FORMATS[form](sweep(), trials)
        assert drawings(sweep(), trials) == {}
    assert "No trial has finished" in FORMATS["text"](sweep(), [])


def test_csv_has_every_trial_with_its_settings_seeds_and_costs() -> None:
    trials = [*additive(), trial(8, dict.fromkeys(GRID, 50), None)]
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](sweep(), trials))))
    assert [row["trial"] for row in rows[:2]] == ["6", "4"]
    best, failed = rows[0], rows[-1]
    assert [best[name] for name in GRID] == ["100", "10", "0.0001"]
    assert (best["dev_f1"], best["dev_f1.seed1"]) == ("66.0", "66.0")
    assert (best["executed.warmup"], best["naive.warmup"]) == ("100", "500")
    assert (failed["state"], failed["reason"], failed["dev_f1"]) == ("failed", "loss is nan", "")


def test_the_page_holds_every_drawing_and_asks_nobody_for_anything() -> None:
    trials = additive()
    trials[0] = trials[0].model_copy(update={"reason": "<b>bad</b> & worse", "state": "failed"})
    page = FORMATS["html"](sweep(), trials)
    assert page.count("<svg") == 5  # an effect a setting, the heat map, the learning rate
    assert "<b>bad</b>" not in page
    assert not re.search(r"(?:src|href)=[\"'](?:https?:)?//", page)


def test_drawings_are_png_files_for_whoever_wants_them_and_for_mlflow() -> None:
    files = logged_files(sweep(), additive())
    names = {f"effect-{name}.png" for name in GRID} | {"heat-map.png", "learning-rate.png"}
    assert set(files) == names | {"sweep.md", "sweep.html", "trials.csv"}
    for name in names:
        content = files[name]
        assert isinstance(content, bytes)
        assert content.startswith(b"\x89PNG")


def test_a_heat_map_of_equal_scores_and_one_trial_can_be_drawn() -> None:
    assert set(pngs(drawings(sweep(), grid_of({(50, 5, 1e-4): 60.0}))))


def test_a_sweep_of_other_settings_has_neither_heat_map_nor_learning_rate() -> None:
    space = {"training.batch_size": Values(kind="grid", values=(4, 8))}
    trials = [trial(k, {"training.batch_size": size}, 60.0 + k) for k, size in enumerate((4, 8))]
    keys = [section.key for section in sweep_document(sweep(space), trials).sections]
    assert keys == ["best", "trials", "effects", "cost"]

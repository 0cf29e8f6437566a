"""Tune's searchers and scheduler, as a sweep sets them up; without a cluster."""

from typing import Any

import pytest
from ray.tune.schedulers import ASHAScheduler

from orchestrator.sweep.points import contains
from orchestrator.sweep.search import SETTINGS, Search
from orchestrator.sweep.settings import SweepSettings

SPACE = {
    "training.learning_rate": {"log-uniform": [1e-5, 1e-2]},
    "warmup.rounds": {"integer": [10, 200]},
    "warmup.outer_optimizer": ["adam", "sgd"],
}
KNOWN = [
    {"training.learning_rate": 1e-4, "warmup.rounds": 10, "warmup.outer_optimizer": "sgd"},
    {"training.learning_rate": 1e-3, "warmup.rounds": 200, "warmup.outer_optimizer": "adam"},
]


def search(searcher: str, points: Any = (), **settings: Any) -> Search:
    block = {"parameters": SPACE, "searcher": searcher, "trials": 12} | settings
    return Search(SweepSettings.model_validate(block), points, 12, 3, 100, 20)


def suggestions(asked: Search, count: int) -> list[dict[str, Any]]:
    """What the searcher would have tried, each with a score that grows with the rounds."""
    searcher: Any = asked.config().search_alg
    searcher.set_search_properties("dev_f1", "max", asked.space)
    found = []
    for number in range(count):
        point = searcher.suggest(f"trial-{number}")[SETTINGS]
        found.append(point)
        result = {"dev_f1": float(point["warmup.rounds"]), "training_iteration": 1}
        searcher.on_trial_complete(f"trial-{number}", result)
    return found


@pytest.mark.parametrize("searcher", ["optuna", "nevergrad"])
def test_a_searcher_begins_with_what_is_known_stays_in_the_space_and_repeats(searcher: str) -> None:
    space = search(searcher).sweep.parameters
    found = suggestions(search(searcher, KNOWN), 8)
    assert [{name: _near(value) for name, value in one.items()} for one in found[:2]] == KNOWN
    assert all(contains(space, point) for point in found)
    assert found == suggestions(search(searcher, KNOWN), 8)
    assert found[2] not in suggestions(search(searcher, KNOWN[:1]), 3), "what is known is known"
    assert found[2:] != suggestions(search(searcher, KNOWN, search_seed=1), 8)[2:]


def _near(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def test_lists_are_tried_as_they_are() -> None:
    asked = search("random", KNOWN)
    assert asked.space == {SETTINGS: {"grid_search": KNOWN}}
    assert asked.config().search_alg is None
    assert asked.config().num_samples == 1


def test_waiting_trials_are_bounded_and_their_processes_reused() -> None:
    config = search("random", KNOWN).config()
    assert config.max_concurrent_trials == 3
    assert config.reuse_actors is True


def test_asha_begins_at_the_first_look_at_the_dev_set_unless_told_otherwise() -> None:
    assert search("random").config().scheduler is None
    for given, grace in (({}, 20), ({"grace_steps": 40}, 40), ({"grace_steps": 900}, 100)):
        scheduler = search("random", scheduler={"name": "asha"} | given).config().scheduler
        assert isinstance(scheduler, ASHAScheduler)
        assert scheduler._time_attr == "step"
        assert scheduler._max_t == 100
        (bracket,) = scheduler._brackets
        assert min(milestone for milestone, _ in bracket._rungs) == grace

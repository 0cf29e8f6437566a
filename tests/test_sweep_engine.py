"""Sweeps, executed in this process: what is shared, what is found again, what stops and fails."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from orchestrator.execute import Failure
from orchestrator.local import InProcessLauncher
from orchestrator.steps.base import Step
from orchestrator.steps.finetune import FinetuneStep
from orchestrator.store.inventory import garbage
from orchestrator.sweep.records import Cost, TrialState, best, steps_in_use, total
from tests.sweeps import SlowLauncher, Sweeping


def block(**settings: Any) -> dict[str, Any]:
    parameters = settings.pop("parameters", {"warmup.rounds": [2, 3], "warmup.steps": [1, 2]})
    return {"sweep": {"parameters": parameters} | settings}


def test_trials_ride_on_one_warmup_trajectory_whichever_comes_first(
    tiny_bert: Path, tmp_path: Path
) -> None:
    parameters = {"warmup.rounds": [4, 2], "warmup.steps": [1, 2]}
    sweeping = Sweeping(tmp_path, tiny_bert, **block(parameters=parameters))
    sweeping.execute()
    trials = sweeping.trials()
    assert [trial.state for trial in trials] == [TrialState.FINISHED] * 4
    assert total(trial.naive for trial in trials) == Cost(warmup=(4 + 2) * (1 + 2), finetune=24)
    assert total(trial.executed for trial in trials) == Cost(warmup=4 * 3, finetune=24)


def test_a_larger_grid_computes_only_what_is_new(tiny_bert: Path, tmp_path: Path) -> None:
    sweeping = Sweeping(tmp_path, tiny_bert)
    sweeping.execute(**block())
    before = {trial.id: trial for trial in sweeping.trials()}
    grown = {"warmup.rounds": [2, 3, 5], "warmup.steps": [1, 2]}
    search = sweeping.execute(**block(parameters=grown))
    after = {trial.id: trial for trial in sweeping.trials()}
    assert len(before) == 4
    assert len(after) == 6
    assert before.items() <= after.items(), "the sweep is the same one, its trials untouched"
    assert len(search.told) == 2
    new = [trial for key, trial in after.items() if key not in before]
    assert total(trial.executed for trial in new) == Cost(warmup=2 * 3, finetune=12)


def test_the_same_sweep_again_asks_for_nothing(tiny_bert: Path, tmp_path: Path) -> None:
    parameters = {"training.learning_rate": [0.01]}
    sweeping = Sweeping(tmp_path, tiny_bert, **block(parameters=parameters, strategy="zero-shot"))
    sweeping.execute()
    assert sweeping.execute().told == []


def test_a_driver_keeps_nothing_but_the_record_of_a_trial_that_has_ended(
    tiny_bert: Path, tmp_path: Path
) -> None:
    parameters = {"training.learning_rate": [0.01, 0.02]}
    sweeping = Sweeping(tmp_path, tiny_bert, **block(parameters=parameters, strategy="zero-shot"))
    sweeping.execute()
    engine = sweeping.engine
    assert len(engine.trials) == 2
    assert not engine._live
    assert not engine._by_key
    assert not engine._execution._steps
    assert not engine._execution.outcome.computed


def test_a_trial_scores_the_mean_over_seeds_of_the_source_dev_set(
    tiny_bert: Path, tmp_path: Path
) -> None:
    parameters = {"training.learning_rate": [0.01]}
    settings = block(parameters=parameters, seeds=[1, 2], strategy="zero-shot")
    sweeping = Sweeping(tmp_path, tiny_bert, **settings)
    sweeping.execute()
    (trial,) = sweeping.trials()
    assert set(trial.scores) == {1, 2}
    assert trial.score == pytest.approx(sum(trial.scores.values()) / 2)
    assert not sweeping.store.files.names("evaluate"), "no target gold was looked at"


class DivergingLauncher(InProcessLauncher):
    """Every training with a high rate ends in numbers that are none."""

    def submit(self, step: Step) -> None:
        if isinstance(step, FinetuneStep) and step.training.learning_rate > 0.1:
            self._ended.append((step, Failure("the loss became nan in training step 3", "log")))
        else:
            super().submit(step)


def test_diverging_trials_fail_with_the_reason_and_the_sweep_goes_on(
    tiny_bert: Path, tmp_path: Path
) -> None:
    parameters = {"training.learning_rate": [0.5, 0.01]}
    sweeping = Sweeping(tmp_path, tiny_bert, **block(parameters=parameters, strategy="zero-shot"))
    sweeping.execute(launcher=DivergingLauncher(tmp_path / "store"))
    bad, good = sweeping.trials()
    assert (bad.state, good.state) == (TrialState.FAILED, TrialState.FINISHED)
    assert "the loss became nan in training step 3" in bad.reason
    assert best(sweeping.trials()) == good


def test_settings_that_do_not_go_together_fail_with_the_reason(
    tiny_bert: Path, tmp_path: Path
) -> None:
    parameters = {"training.select_after": [2, 6]}
    sweeping = Sweeping(tmp_path, tiny_bert, **block(parameters=parameters, strategy="zero-shot"))
    sweeping.execute()
    good, bad = sweeping.trials()
    assert good.state is TrialState.FINISHED
    assert bad.state is TrialState.FAILED
    assert "select_after (6) must be below steps (6)" in bad.reason


class PulledPlugError(BaseException):
    """The end of a driver."""


class DyingLauncher(InProcessLauncher):
    """Kills its driver when so many trainings have begun."""

    def __init__(self, location: Path, trainings: int) -> None:
        super().__init__(location)
        self._left = trainings

    def submit(self, step: Step) -> None:
        if step.kind == "finetune":
            self._left -= 1
            if self._left < 0:
                raise PulledPlugError
        super().submit(step)


def test_a_sweep_whose_driver_died_ends_with_the_same_table(
    tiny_bert: Path, tmp_path: Path
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    settings = block(parameters={"warmup.rounds": [3, 2]})
    undisturbed = Sweeping(whole, tiny_bert, **settings)
    undisturbed.execute()
    sweeping = Sweeping(broken, tiny_bert, **settings)
    for trainings in (0, 1):
        with pytest.raises(PulledPlugError):
            sweeping.execute(launcher=DyingLauncher(broken / "store", trainings))
    sweeping.execute()
    assert [_row(trial) for trial in sweeping.trials()] == [
        _row(trial) for trial in undisturbed.trials()
    ]


def _row(trial: Any) -> Any:
    return trial.model_dump(exclude={"seconds", "ended"})


def test_the_store_keeps_what_trials_use_and_no_record_of_a_sweep_is_taken_for_a_step(
    tiny_bert: Path, tmp_path: Path
) -> None:
    parameters = {"training.learning_rate": [0.01]}
    sweeping = Sweeping(tmp_path, tiny_bert, **block(parameters=parameters, strategy="zero-shot"))
    sweeping.execute()
    assert garbage(sweeping.store, steps_in_use(sweeping.store.files)) == []
    kinds = {one.name.split("/")[0] for one in garbage(sweeping.store, set())}
    assert kinds == {"project", "encode", "probe", "finetune", "partial"}


def all_but_the_first_at(step: int) -> Any:
    """Stops every trial but the first of the grid once it has come so far."""
    return lambda settings, report: (
        settings["training.learning_rate"] != 0.01 and report["step"] >= step
    )


def test_a_stopped_trial_is_told_again_and_goes_on_from_where_it_was(
    tiny_bert: Path, tmp_path: Path
) -> None:
    parameters = {"training.learning_rate": [0.01, 0.02]}
    settings = block(parameters=parameters, strategy="zero-shot", scheduler="asha")
    sweeping = Sweeping(tmp_path, tiny_bert, **settings)
    launcher = SlowLauncher(tmp_path / "store")
    sweeping.execute(stops=all_but_the_first_at(4), launcher=launcher)
    finished, stopped = sweeping.trials()
    assert (finished.state, stopped.state) == (TrialState.FINISHED, TrialState.STOPPED)
    assert stopped.reason == "by asha at step 4"
    assert [point.step for point in stopped.curve] == [2, 4]
    assert stopped.executed == Cost(finetune=4)

    told = sweeping.execute(launcher=launcher).told
    assert [(key, report["step"]) for key, report in told] == [
        *(("0", step) for step in (2, 4, 6, 6)),
        *(("1", step) for step in (2, 4, 6, 6)),
    ], "every point, and that it is done"
    promoted = sweeping.trials()[1]
    assert promoted.state is TrialState.FINISHED
    assert promoted.curve[:2] == stopped.curve
    assert launcher.steps_taken == 12, "the stopped trial went on from its checkpoint"


def one_trial(folder: Path, backbone: Path) -> Sweeping:
    """A sweep of which a scheduler sees every point."""
    parameters = {"training.learning_rate": [0.01]}
    settings = block(parameters=parameters, strategy="zero-shot", scheduler="asha")
    return Sweeping(folder, backbone, **settings)


def test_a_scheduler_that_ends_what_has_come_to_its_last_step_stops_no_trial(
    tiny_bert: Path, tmp_path: Path
) -> None:
    """As ASHA does, which is told points of a curve before the model is in the store."""
    sweeping = one_trial(tmp_path, tiny_bert)
    launcher = SlowLauncher(tmp_path / "store")
    sweeping.execute(stops=lambda _settings, report: report["step"] >= 6, launcher=launcher)
    (trial,) = sweeping.trials()
    assert trial.state is TrialState.FINISHED
    assert [point.step for point in trial.curve] == [2, 4, 6]
    assert len(list(sweeping.store.files.names("finetune"))) == 1


def test_a_trial_interrupted_at_its_last_step_goes_on_and_finishes(
    tiny_bert: Path, tmp_path: Path
) -> None:
    sweeping = one_trial(tmp_path, tiny_bert)
    sweeping.execute()
    (trial,) = sweeping.trials()
    shutil.rmtree(tmp_path / "store" / "finetune")
    sweeping.records.write_trial(trial.model_copy(update={"state": TrialState.STOPPED}))
    sweeping.execute()
    (again,) = sweeping.trials()
    assert again.state is TrialState.FINISHED
    assert again.curve == trial.curve

"""`xlwarm run --from-sweep` and `xlwarm report --sweep`: which sweep, and what is taken of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow import MlflowClient

from experiments.from_sweep import take_winner
from experiments.options import OWN_SWEEP
from orchestrator.cli import xlwarm
from orchestrator.plan import make_plan
from orchestrator.store import StepStore
from orchestrator.study import Study
from orchestrator.study_file import read_study
from orchestrator.sweep.choice import winner_of
from orchestrator.sweep.records import Sweep, SweepRecords, Trial, TrialState
from orchestrator.sweep.taking import keep_study, with_choice
from orchestrator.sweep.trials import sweep_fingerprint, sweep_of, trial_id
from orchestrator.tracking import Tracker
from projection.errors import InputError
from tests.studies import write_study

SPACE = {"warmup.rounds": {"grid": [2, 3]}, "training.learning_rate": [0.01, 0.02]}
BEST = {"training.learning_rate": 0.02, "warmup.rounds": 2}
OTHER = {"training.learning_rate": 0.01, "warmup.rounds": 3}


@pytest.fixture
def file(tmp_path: Path, tiny_bert: Path) -> Path:
    return write_study(tmp_path, tiny_bert, sweep={"parameters": SPACE}, strategies=["mtl-ws"])


@pytest.fixture
def store(tmp_path: Path) -> StepStore:
    return StepStore(tmp_path / "store")


@pytest.fixture
def uri(new_tracking: Callable[[Path], str], store: StepStore) -> str:
    """The database of the store, with nothing in it."""
    return new_tracking(store.root)


def _trial(
    sweep: Sweep, number: int, settings: dict[str, Any], score: float, **known: Any
) -> Trial:
    plain: dict[str, Any] = {
        "id": trial_id(sweep.fingerprint, settings),
        "number": number,
        "settings": settings,
        "seeds": (1,),
        "state": TrialState.FINISHED,
        "scores": {1: score},
    }
    return Trial.model_validate(plain | known)


def _swept(study: Study, store: StepStore) -> Sweep:
    """A sweep of ``study`` with two finished trials and a better one that was stopped."""
    sweep = sweep_of(study)
    records = SweepRecords(store.files, sweep.fingerprint)
    records.write_sweep(sweep)
    records.write_trial(_trial(sweep, 0, OTHER, 60.0))
    records.write_trial(_trial(sweep, 1, BEST, 61.5))
    stopped = {"training.learning_rate": 0.01, "warmup.rounds": 2}
    records.write_trial(_trial(sweep, 2, stopped, 99.0, state=TrialState.STOPPED))
    return sweep


def test_a_study_takes_the_settings_of_the_best_finished_trial_and_says_where_they_come_from(
    file: Path, store: StepStore, capsys: pytest.CaptureFixture[str]
) -> None:
    study = read_study(file)
    sweep = _swept(study, store)
    taken = take_winner(study, OWN_SWEEP, (), store)
    assert (taken.warmup.rounds, taken.training.learning_rate) == (2, 0.02)
    assert taken.training.steps == study.training.steps
    assert taken.chosen
    assert taken.chosen.sweep == sweep.fingerprint
    assert taken.chosen.trial == trial_id(sweep.fingerprint, BEST)
    assert (taken.chosen.number, taken.chosen.score, taken.chosen.of_trials) == (1, 61.5, 2)
    said = capsys.readouterr().err
    assert "trial 1 (dev_f1 61.50), the best of 2 finished ones" in said
    assert "warmup.rounds: 3 -> 2" in said
    assert "training.learning_rate: 0.01 -> 0.02" in said


def test_what_a_sweep_chose_changes_no_fingerprint_beyond_the_settings_themselves(
    file: Path, store: StepStore
) -> None:
    study = read_study(file)
    _swept(study, store)
    taken = make_plan(take_winner(study, OWN_SWEEP, (), store))
    by_hand = make_plan(read_study(file, ["warmup.rounds=2", "training.learning_rate=0.02"]))
    assert taken.fingerprint == by_hand.fingerprint
    assert [s.fingerprint for s in taken.steps] == [s.fingerprint for s in by_hand.steps]
    assert sweep_fingerprint(taken.study) == sweep_fingerprint(study)


def test_the_kept_study_is_a_study_file_that_gives_the_same_plan(
    file: Path, store: StepStore
) -> None:
    study = read_study(file)
    _swept(study, store)
    plan = make_plan(take_winner(study, OWN_SWEEP, (), store))
    kept = store.root / keep_study(plan, store)
    again = read_study(kept)
    assert again.chosen == plan.study.chosen
    assert make_plan(again).fingerprint == plan.fingerprint
    with pytest.raises(InputError, match=r"a sweep chose warmup.rounds 2, but here it is 5"):
        read_study(kept, ["warmup.rounds=5"])


def test_the_study_of_another_file_or_the_beginning_of_a_fingerprint_names_the_sweep(
    file: Path, store: StepStore, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = _swept(read_study(file), store)
    content = yaml.safe_load(file.read_text()) | {"name": "big", "strategies": ["zero-shot"]}
    del content["sweep"]
    content["backbone"] |= {"num_layers": 1}
    other = file.with_name("big.yaml")
    other.write_text(yaml.safe_dump(content))
    big = read_study(other)
    for source in (str(file), sweep.fingerprint[:8]):
        taken = take_winner(big, source, (), store)
        assert (taken.name, taken.warmup.rounds, taken.backbone.num_layers) == ("big", 2, 1)
    with pytest.raises(InputError, match="the study big has no `sweep:` block"):
        take_winner(big, OWN_SWEEP, (), store)
    with pytest.raises(
        InputError, match=f"no sweep of the store.*abcdef0; it has {sweep.fingerprint[:12]}"
    ):
        take_winner(big, "abcdef0", (), store)


def test_a_sweep_of_other_settings_is_not_this_one_and_those_that_are_there_are_named(
    file: Path, store: StepStore
) -> None:
    sweep = _swept(read_study(file), store)
    other = read_study(file, ["training.steps=8"])
    with pytest.raises(
        InputError, match=rf"no sweep of tiny.*it has {sweep.fingerprint[:12]} \(tiny"
    ):
        take_winner(other, OWN_SWEEP, (), store)
    with pytest.raises(InputError, match="it has none at all"):
        take_winner(other, OWN_SWEEP, (), StepStore(store.root / "another"))


def test_a_setting_cannot_come_from_the_command_line_and_from_a_sweep(
    file: Path, store: StepStore
) -> None:
    study = read_study(file)
    _swept(study, store)
    for override in ("warmup.rounds=5", "warmup={rounds: 5}"):
        with pytest.raises(InputError, match=r"--set warmup.rounds: the sweep has chosen"):
            take_winner(study, OWN_SWEEP, (override,), store)
    assert take_winner(study, OWN_SWEEP, ("seeds=[1]", "warmup.inner_lr=0.1"), store).chosen


def test_a_sweep_without_a_finished_trial_has_no_winner(file: Path) -> None:
    sweep = sweep_of(read_study(file))
    running = _trial(sweep, 0, BEST, 50.0, state=TrialState.RUNNING)
    with pytest.raises(InputError, match=r"no trial of the sweep .* of tiny has finished"):
        winner_of(sweep, [running])


def test_a_choice_that_does_not_go_with_the_rest_of_the_study_is_refused(
    file: Path, store: StepStore
) -> None:
    sweep = sweep_of(read_study(file))
    choice = winner_of(sweep, [_trial(sweep, 0, {"training.steps": 2}, 50.0)])
    with pytest.raises(InputError, match=r"sweep .* chose does not go together with tiny: .*steps"):
        with_choice(read_study(file), choice)


def test_mlflow_says_where_the_settings_of_a_study_come_from(
    file: Path, store: StepStore, uri: str
) -> None:
    study = read_study(file)
    sweep = _swept(study, store)
    plan = make_plan(take_winner(study, OWN_SWEEP, (), store))
    tracker = Tracker(plan, store, uri)
    tracker.finish("KILLED", {})
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("tiny")
    assert experiment
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.tags["xlwarm.chosen.sweep"] == sweep.fingerprint
    assert run.data.tags["xlwarm.chosen.trial"] == trial_id(sweep.fingerprint, BEST)
    assert run.data.tags["xlwarm.chosen.score"] == "61.5000"
    assert run.data.tags["xlwarm.chosen.warmup.rounds"] == "2"


def test_the_report_of_a_sweep_is_printed_drawn_and_logged(
    file: Path, store: StepStore, uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = _swept(read_study(file), store)

    def report(*options: str) -> str:
        arguments = ["report", "--sweep", str(file), "--store", str(store.root), *options]
        xlwarm.main(arguments, standalone_mode=False)
        return capsys.readouterr().out

    assert "Best: trial 1 with 61.50: warmup.rounds 2, training.learning_rate 0.02" in report()
    folder = file.with_name("pictures")
    page = file.with_name("sweep.html")
    report("--format", "html", "--out", str(page), "--png", str(folder))
    assert page.read_text().startswith("<!doctype html>")
    assert len(list(folder.glob("*.png"))) == 3  # two effects and the learning rate; K is fixed
    client = MlflowClient(tracking_uri=uri)
    experiment = client.create_experiment("tiny", artifact_location=(store.root / "m").as_uri())
    with pytest.raises(InputError, match=r"no run of the sweep .* `xlwarm sweep` logs it"):
        report("--log")
    tags = {"xlwarm.kind": "sweep", "xlwarm.fingerprint": sweep.fingerprint}
    run = client.create_run(experiment, tags=tags).info.run_id
    report("--log", uri)
    names = {Path(one.path).name for one in client.list_artifacts(run, "report")}
    assert {"sweep.html", "sweep.md", "trials.csv", "learning-rate.png"} <= names


def test_from_sweep_with_and_without_a_name_asks_for_another_and_for_the_studys_own_sweep(
    file: Path, store: StepStore
) -> None:
    run = ["run", str(file), "--store", str(store.root)]
    with pytest.raises(InputError, match="has no sweep of tiny with these settings"):
        xlwarm.main([*run, "--from-sweep"], standalone_mode=False)
    with pytest.raises(InputError, match="has a fingerprint that begins with 0123ab"):
        xlwarm.main([*run, "--from-sweep", "0123ab"], standalone_mode=False)
    assert not store.root.exists()


def test_logging_is_refused_without_a_sweep(file: Path) -> None:
    with pytest.raises(InputError, match="give --sweep as well"):
        xlwarm.main(["report", str(file), "--log"], standalone_mode=False)

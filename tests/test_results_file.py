"""Results that leave a store and come into another: what they hold, what they are worth there."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from experiments.report import FORMATS
from experiments.stores import store as store_commands
from orchestrator.execute import Execution, run_steps
from orchestrator.ledger import CellState, ledger, standing_in
from orchestrator.local import InProcessLauncher
from orchestrator.logged import default_tracking
from orchestrator.plan import make_plan
from orchestrator.predictions import COUNTED
from orchestrator.results import results
from orchestrator.results_file import Head, export_results, import_results
from orchestrator.reuse import missing_steps, reusable
from orchestrator.steps.evaluate import PREDICTIONS, EvaluateStep
from orchestrator.store import DONE, RECORD, BrokenStepError, StepStore, imported_place
from orchestrator.store.contents import contents_in, opened, seal
from orchestrator.store.inventory import State, broken, entries, garbage
from orchestrator.study_file import read_study
from orchestrator.tracking import Tracker
from orchestrator.trained import find_model
from projection.errors import InputError
from tests.finished import MadeUp, finish, reported
from tests.studies import write_study
from tests.tracked import Tracked


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, made_up: MadeUp) -> Path:
    """The results of the whole made-up study."""
    path = tmp_path_factory.mktemp("results") / "results.zip"
    export_results([made_up.plan], made_up.done, path)
    return path


@pytest.fixture
def elsewhere(tmp_path: Path, file: Path) -> StepStore:
    """A store that knows nothing but these results."""
    store = StepStore(tmp_path / "elsewhere")
    import_results(file, store)
    return store


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_report_on_imported_results_is_that_of_the_store_that_found_them(
    format_name: str, made_up: MadeUp, elsewhere: StepStore
) -> None:
    options = ("--format", format_name)
    ours, theirs = (reported(made_up.file, one, *options) for one in (elsewhere, made_up.done))
    assert (ours.exit_code, theirs.exit_code) == (0, 0)
    assert ours.stdout.replace(str(elsewhere.location), "STORE") == theirs.stdout.replace(
        str(made_up.done.location), "STORE"
    )


def test_a_file_holds_no_weights_and_no_word_of_a_corpus(file: Path, made_up: MadeUp) -> None:
    folder = made_up.file.parent
    words = {
        word
        for path in [*folder.glob("*.conll"), *folder.glob("*.txt")]
        for word in path.read_text().split()
        if len(word) > 5 and word.isalpha()
    } - {"dropped"}  # a key of counts.json
    assert len(words) > 100
    with zipfile.ZipFile(file) as results_file:
        names = results_file.namelist()
        text = b" ".join(results_file.read(name) for name in names).decode()
    assert {name.rpartition("/")[2] for name in names} == {
        "results.json",
        RECORD,
        DONE,
        "counts.json",
        "curve.jsonl",
        COUNTED,
    }
    found = {word for word in words if f'"{word}' in text or f" {word}" in text}
    assert not found


def test_what_stayed_behind_is_named_with_its_hash(file: Path, made_up: MadeUp) -> None:
    test = made_up.plan.specs[0].evaluations[0]
    name = f"{test.kind}/{test.fingerprint}"
    with zipfile.ZipFile(file) as results_file:
        record = opened(results_file.read(f"{name}/{RECORD}"), results_file.read(f"{name}/{DONE}"))
    assert record is not None
    assert set(contents_in(record)) == {COUNTED}
    theirs = made_up.done.record(test)
    assert record["left_out"] == {PREDICTIONS: theirs["artefacts"][PREDICTIONS]}
    same = {name: value for name, value in record.items() if name not in ("left_out", "artefacts")}
    assert same == {name: value for name, value in theirs.items() if name != "artefacts"}


def test_equal_results_make_equal_files_also_by_way_of_another_store(
    tmp_path: Path, file: Path, made_up: MadeUp, elsewhere: StepStore
) -> None:
    for store in (made_up.done, elsewhere):
        export_results([made_up.plan], store, tmp_path / "again.zip")
        assert (tmp_path / "again.zip").read_bytes() == file.read_bytes()


def test_two_parts_of_a_study_make_one_whole(tmp_path: Path, made_up: MadeUp) -> None:
    whole = StepStore(tmp_path / "whole")
    for seeds in ("seeds=[1]", "seeds=[2, 3]"):
        plan = make_plan(read_study(made_up.file, [seeds]))
        export_results([plan], made_up.done, tmp_path / "part.zip")
        import_results(tmp_path / "part.zip", whole)
    assert results(made_up.plan, whole) == results(made_up.plan, made_up.done)


def test_nothing_is_left_to_do_where_all_results_are_known(
    made_up: MadeUp, elsewhere: StepStore
) -> None:
    assert missing_steps(made_up.plan.steps, elsewhere) == []
    assert reusable(made_up.plan.steps, elsewhere) == list(made_up.plan.steps)
    states = {cell.state for cell in ledger(made_up.plan, standing_in(elsewhere))}
    assert states == {CellState.DONE}


def test_results_of_another_seed_are_kept_and_what_a_new_one_needs_is_computed(
    tmp_path: Path, tiny_bert: Path
) -> None:
    names = ["zero-shot", "mtl-ws"]
    study = write_study(tmp_path, tiny_bert, strategies=names, targets=["es", "de"])
    first, both = (make_plan(read_study(study, [f"seeds={seeds}"])) for seeds in ([1], [1, 2]))
    there, here = StepStore(tmp_path / "there"), StepStore(tmp_path / "here")
    run_steps(first.steps, there, InProcessLauncher(there.root), [])
    export_results([first], there, tmp_path / "results.zip")
    import_results(tmp_path / "results.zip", here)
    expected = missing_steps(both.steps, here)
    outcome = run_steps(both.steps, here, InProcessLauncher(here.root), [])
    assert not outcome.failed
    assert set(outcome.computed) == set(expected)
    kinds = {step.kind for step in expected}
    assert kinds == {"project", "encode", "warmup", "finetune", "evaluate"} | (
        {"probe"} & {step.kind for step in both.steps}
    )
    assert {getattr(one, "seed", 2) for one in expected if one.kind in ("warmup", "finetune")} == {
        2
    }
    scores = {(one.strategy, one.seed, one.language): one.f1 for one in results(both, here)}
    assert len(scores) == 8
    for one in results(first, there):
        assert scores[one.strategy, one.seed, one.language] == one.f1


def test_a_trial_that_needs_what_an_earlier_one_did_not_has_it_computed(
    made_up: MadeUp, elsewhere: StepStore
) -> None:
    more = make_plan(read_study(made_up.file, ["seeds=[4]", "strategies=[zero-shot]"]))
    launcher = InProcessLauncher(elsewhere.root)
    execution = Execution(elsewhere, launcher, [])
    execution.add(made_up.plan.steps)
    assert not execution.busy
    execution.add(more.steps)
    assert {step.kind for step in execution.waiting} == {"project", "encode", "finetune"} | {
        "evaluate"
    } | ({"probe"} & {step.kind for step in more.steps})
    assert set(execution.waiting) == set(missing_steps(more.steps, elsewhere))


def test_other_scores_for_the_same_test_are_told_and_those_here_stay(
    tmp_path: Path, file: Path, made_up: MadeUp
) -> None:
    own = StepStore(tmp_path / "own")
    plan = make_plan(read_study(made_up.file, ["seeds=[1]"]))
    test = plan.specs[0].evaluations[0]
    finish(plan, own, lambda step: step != test)
    record = made_up.done.record(test)
    micro = record["outputs"]["micro"] | {"f1": 12.5}
    with_score = record | {"outputs": record["outputs"] | {"micro": micro}}
    own.write(test, lambda _folder: with_score)
    done = import_results(file, own)
    assert [(one.here, one.there) for one in done.differing] == [
        (12.5, record["outputs"]["micro"]["f1"])
    ]
    assert own.outputs(test)["micro"]["f1"] == 12.5
    assert {one.fingerprint for one in done.known} == {step.fingerprint for step in plan.steps}
    again = import_results(file, own)
    assert again.new == ()


def _rewritten(file: Path, to: Path, change: Callable[[str, bytes], bytes]) -> Path:
    with zipfile.ZipFile(file) as whole, zipfile.ZipFile(to, "w") as changed:
        for name in whole.namelist():
            changed.writestr(name, change(name, whole.read(name)))
    return to


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda name, content: content + b" " if name.endswith(COUNTED) else content,
            "is not what",
        ),
        (lambda name, content: content + b" " if name.endswith(RECORD) else content, "is not what"),
        (lambda name, content: b"" if name.endswith(DONE) else content, "is not what"),
        (
            lambda name, content: (
                Head(format=99, studies=[]).model_dump_json().encode()
                if name == "results.json"
                else content
            ),
            "format 99",
        ),
    ],
)
def test_a_damaged_file_is_refused_and_nothing_of_it_imported(
    change: Callable[[str, bytes], bytes], problem: str, tmp_path: Path, file: Path
) -> None:
    store = StepStore(tmp_path / "store")
    with pytest.raises(InputError, match=problem):
        import_results(_rewritten(file, tmp_path / "damaged.zip", change), store)
    assert list(entries(store)) == []


@pytest.mark.parametrize("name", ["../../elsewhere", "evaluate/ab/x", f"evaluate/{'a' * 64}/../x"])
def test_a_file_cannot_write_outside_the_store(name: str, tmp_path: Path, file: Path) -> None:
    evil = _rewritten(file, tmp_path / "evil.zip", lambda _name, content: content)
    with zipfile.ZipFile(evil, "a") as more:
        more.writestr(name, "x")
    with pytest.raises(InputError, match="is no file of a step"):
        import_results(evil, StepStore(tmp_path / "store"))


def test_what_is_no_file_of_results_is_refused(tmp_path: Path, made_up: MadeUp) -> None:
    (tmp_path / "notes.zip").write_text("no zip")
    for path in (tmp_path / "notes.zip", tmp_path / "missing.zip"):
        with pytest.raises(InputError, match="`xlwarm store export` wrote"):
            import_results(path, StepStore(tmp_path / "store"))
    with pytest.raises(InputError, match="no result of tiny yet"):
        export_results([made_up.plan], StepStore(tmp_path / "store"), tmp_path / "none.zip")
    assert not (tmp_path / "none.zip").exists()


def test_counts_that_are_not_those_of_the_scores_are_refused(
    tmp_path: Path, made_up: MadeUp, file: Path
) -> None:
    """A file that somebody made over, hashes and all."""
    store = StepStore(tmp_path / "store")
    import_results(file, store)
    ones = [spec.evaluations[0] for spec in made_up.plan.specs[:2]]
    contents = [store.files.read(f"{imported_place(one)}/{COUNTED}") for one in ones]
    assert contents[0] != contents[1]
    folders = [store.root / imported_place(one) for one in ones]
    records = [json.loads((folder / RECORD).read_text()) for folder in folders]
    (folders[0] / COUNTED).write_bytes(contents[1])
    for name in (RECORD, DONE):
        (folders[0] / name).unlink()
    seal(folders[0], records[0])
    with pytest.raises(InputError, match="not the counts for this test set of es"):
        reported(made_up.file, StepStore(store.location))


def test_an_altered_result_is_found_moved_aside_and_counts_as_missing(
    made_up: MadeUp, elsewhere: StepStore
) -> None:
    model = made_up.plan.specs[0].model
    path = elsewhere.root / imported_place(model) / "curve.jsonl"
    path.write_bytes(path.read_bytes().replace(b"1", b"2"))
    problems = [(entry.fingerprint, why) for entry, why in broken(elsewhere) if why]
    assert problems == [
        (model.fingerprint, "curve.jsonl was altered: its SHA-256 is not the recorded one")
    ]
    with pytest.raises(BrokenStepError, match=r"curve\.jsonl was altered"):
        elsewhere.read(model, "curve.jsonl")
    assert not elsewhere.has_result(model)


def test_importing_again_mends_a_result_that_broke(
    made_up: MadeUp, file: Path, elsewhere: StepStore
) -> None:
    model = made_up.plan.specs[0].model
    curve = elsewhere.read(model, "curve.jsonl")
    (elsewhere.root / imported_place(model) / "curve.jsonl").write_bytes(b"short")
    assert not elsewhere.has_result(model)
    done = import_results(file, elsewhere)
    assert [one.fingerprint for one in done.new] == [model.fingerprint]
    assert elsewhere.read(model, "curve.jsonl") == curve


def test_where_no_file_can_be_written_is_bad_input(tmp_path: Path, made_up: MadeUp) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        export_results([made_up.plan], made_up.done, tmp_path / "no-folder" / "results.zip")


def test_imported_results_are_listed_and_stay_while_a_study_needs_them(
    made_up: MadeUp, elsewhere: StepStore
) -> None:
    listed = list(entries(elsewhere))
    assert {one.state for one in listed} == {State.IMPORTED}
    assert len(listed) == len(made_up.plan.steps)
    needed = {step.fingerprint for step in made_up.plan.steps}
    tests = {step.fingerprint for step in made_up.plan.steps if isinstance(step, EvaluateStep)}
    assert garbage(elsewhere, needed) == []
    assert garbage(elsewhere, None) == []
    assert {one.name.rpartition("/")[2] for one in garbage(elsewhere, needed - tests)} == tests


def test_of_an_imported_model_only_results_can_be_had(
    made_up: MadeUp, elsewhere: StepStore
) -> None:
    with pytest.raises(InputError, match="only the results are in the store"):
        find_model("zero-shot-seed1", elsewhere, made_up.plan, default_tracking(elsewhere.root))


def test_mlflow_shows_imported_results(
    tmp_path: Path, tracked: Tracked, new_tracking: Callable[[Path], str]
) -> None:
    export_results([tracked.plan], tracked.store, tmp_path / "results.zip")
    store = StepStore(tmp_path / "store")
    import_results(tmp_path / "results.zip", store)
    uri = new_tracking(store.root)
    Tracker(tracked.plan, store, uri).finish("FINISHED", {})
    client = MlflowClient(uri)
    (experiment,) = client.search_experiments(filter_string="name = 'tiny'")
    runs = client.search_runs(
        [experiment.experiment_id], "tags.`xlwarm.kind` = 'result'", max_results=1000
    )
    logged = sorted(run.data.metrics["test_f1"] for run in runs)
    assert logged == pytest.approx(sorted(one.f1 for one in results(tracked.plan, tracked.store)))


def test_results_go_through_a_store_of_any_kind(
    any_store: StepStore, file: Path, made_up: MadeUp
) -> None:
    import_results(file, any_store)
    again = StepStore(any_store.location)
    assert results(made_up.plan, again) == results(made_up.plan, made_up.done)
    model = made_up.plan.specs[0].model
    assert again.read(model, "curve.jsonl") == made_up.done.read(model, "curve.jsonl")


def test_the_commands_export_and_import(tmp_path: Path, made_up: MadeUp) -> None:
    def run(*arguments: object) -> str:
        done = CliRunner().invoke(store_commands, [*map(str, arguments)], catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    out = tmp_path / "zero.zip"
    said = run(
        "export",
        made_up.file,
        "--store",
        made_up.done.location,
        "--only",
        "zero-shot",
        "--out",
        out,
    )
    assert "9 evaluate" in said
    assert "3 finetune" in said
    target = tmp_path / "new"
    assert "known already" in run("import", out, "--store", target)
    assert len(results(made_up.plan, StepStore(target))) == 9
    assert "0 new" in run("import", out, "--store", target)

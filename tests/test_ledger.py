"""`xlwarm status` and `xlwarm run --missing`: which cells are done, running, missing, failed."""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from experiments.ledgers import MARKS, StudyLedger, as_csv, rows, show_ledger, show_total
from orchestrator.cli import xlwarm
from orchestrator.costs import CPU_GUESS, Costs
from orchestrator.execute import Failure, run_steps
from orchestrator.failures import FailureNotes
from orchestrator.ledger import (
    CellState,
    Holder,
    LedgerCell,
    Standing,
    ledger,
    standing_in,
    steps_for,
    steps_left,
)
from orchestrator.logged import logged_results
from orchestrator.plan import Plan, make_plan
from orchestrator.schedule import Resources
from orchestrator.simulate import SimulatedLauncher
from orchestrator.steps.base import Step
from orchestrator.store import StepStore
from orchestrator.store.failures import FailureNote
from orchestrator.store.leases import Leases
from orchestrator.study_file import read_study
from tests.shelf import Shelf
from tests.studies import write_study

STRATEGIES = ["zero-shot", "target-only", "mtl-ws"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Path:
    folder = tmp_path_factory.mktemp("study")
    return write_study(folder, tiny_bert, seeds=[1, 2], strategies=STRATEGIES, targets=["es", "de"])


@pytest.fixture(scope="module")
def plan(study: Path) -> Plan:
    return make_plan(read_study(study))


def _steps(plan: Plan, kind: str, seed: int | None = None) -> list[Step]:
    return [s for s in plan.steps if s.kind == kind and seed in (None, getattr(s, "seed", None))]


def _note(step: Step) -> FailureNote:
    return FailureNote(
        kind=step.kind,
        fingerprint=step.fingerprint,
        title=step.title(),
        message="loss is nan",
        log="/store/logs/x.log",
        host="here",
        when=datetime(2026, 11, 25, tzinfo=UTC),
    )


@dataclass
class Facts:
    """What a standing is made of, by steps."""

    done: list[Step] = field(default_factory=list)
    running: list[Step] = field(default_factory=list)
    failed: list[Step] = field(default_factory=list)
    logged: frozenset[str] | None = None

    def cells(self, plan: Plan) -> list[LedgerCell]:
        holder = Holder("process 7 on node1", 3.0)
        return ledger(
            plan,
            Standing(
                store=Shelf({step.fingerprint for step in self.done}),
                running={step.fingerprint: holder for step in self.running},
                failed={step.fingerprint: _note(step) for step in self.failed},
                logged=self.logged,
            ),
        )


def _states(cells: list[LedgerCell]) -> dict[tuple[str, str, int], CellState]:
    return {(cell.strategy, cell.language, cell.seed): cell.state for cell in cells}


def _those(cells: list[LedgerCell], state: CellState) -> set[tuple[str, str, int]]:
    return {key for key, found in _states(cells).items() if found is state}


def test_a_study_that_has_not_begun_is_all_missing_in_the_order_of_the_study(plan: Plan) -> None:
    cells = Facts().cells(plan)
    assert [(c.strategy, c.language, c.seed) for c in cells] == [
        (strategy, language, seed)
        for strategy in STRATEGIES
        for language in ("es", "de")
        for seed in (1, 2)
    ]
    assert {cell.state for cell in cells} == {CellState.MISSING}
    assert {step.fingerprint for step in steps_left(cells, CellState.MISSING)} == {
        step.fingerprint for step in plan.steps
    }


def test_a_failed_warmup_fails_the_cells_of_its_seed_and_strategy_alone(plan: Plan) -> None:
    cells = Facts(failed=_steps(plan, "warmup", 2)).cells(plan)
    failed = {("mtl-ws", "es", 2), ("mtl-ws", "de", 2)}
    assert _those(cells, CellState.FAILED) == failed
    (why,) = {note for cell in cells for note in cell.why}
    assert (why.title, why.message) == ("warm up Z=3 K=2 seed 2", "loss is nan")


def test_a_failed_step_that_is_tried_again_is_running(plan: Plan) -> None:
    again = _steps(plan, "warmup", 2)
    cells = Facts(failed=again, running=again).cells(plan)
    assert _those(cells, CellState.RUNNING) == {("mtl-ws", "es", 2), ("mtl-ws", "de", 2)}
    assert {holder.where for cell in cells for _, holder in cell.holders} == {"process 7 on node1"}
    assert not any(cell.why for cell in cells)


def test_a_cell_of_which_one_step_failed_and_another_runs_has_failed(plan: Plan) -> None:
    facts = Facts(failed=_steps(plan, "warmup", 2), running=_steps(plan, "encode"))
    states = _states(facts.cells(plan))
    assert states["mtl-ws", "es", 2] is CellState.FAILED
    assert states["mtl-ws", "es", 1] is CellState.RUNNING


def test_a_done_cell_costs_nothing_even_if_something_behind_it_is_gone(plan: Plan) -> None:
    done = [step for step in plan.steps if step.kind in ("finetune", "evaluate")]
    cells = Facts(done=done, failed=_steps(plan, "encode")).cells(plan)
    assert {cell.state for cell in cells} == {CellState.DONE}
    assert steps_left(cells, *CellState) == []


def test_a_test_whose_model_is_gone_is_not_done(plan: Plan) -> None:
    cells = Facts(done=_steps(plan, "evaluate")).cells(plan)
    assert {cell.state for cell in cells} == {CellState.MISSING}


def test_shared_steps_are_left_once_and_none_that_is_done(plan: Plan) -> None:
    begun = [*_steps(plan, "project"), *_steps(plan, "encode"), *_steps(plan, "warmup", 1)]
    cells = Facts(done=begun).cells(plan)
    left = steps_left(cells, CellState.MISSING)
    assert len({step.fingerprint for step in left}) == len(left)
    assert not [step for step in left if step in begun]
    # A model a seed for zero-shot and mtl-ws, one a seed and language for target-only.
    assert sum(step.kind == "finetune" for step in left) == 2 * (1 + 1 + 2)


def test_steps_for_missing_cells_hold_all_that_they_read_and_nothing_of_other_cells(
    plan: Plan,
) -> None:
    begun = [*_steps(plan, "project"), *_steps(plan, "encode"), *_steps(plan, "probe")]
    facts = Facts(done=begun, failed=_steps(plan, "warmup", 1), running=_steps(plan, "warmup", 2))
    steps = steps_for(facts.cells(plan), CellState.MISSING)
    seen: set[str] = set()
    for step in steps:
        assert all(needed.fingerprint in seen for needed in step.needs)
        seen.add(step.fingerprint)
    assert not _warm(steps)
    assert {step.fingerprint for step in _steps(plan, "encode")} <= seen
    assert sum(step.kind == "evaluate" for step in steps) == 2 * 2 * 2


def test_a_run_of_the_missing_cells_ends_with_them_done_and_the_others_as_they_were(
    plan: Plan,
) -> None:
    failed = _steps(plan, "warmup", 2)
    chosen = steps_for(Facts(failed=failed).cells(plan), CellState.MISSING)
    launcher = SimulatedLauncher({"node": Resources(2)}, lambda _: (Resources(1),), lambda _: 1.0)
    outcome = run_steps(chosen, Shelf(), launcher, [], launcher.clock)
    cells = Facts(done=outcome.computed, failed=failed).cells(plan)
    assert Counter(cell.state for cell in cells) == {CellState.DONE: 10, CellState.FAILED: 2}


def _warm(steps: list[Step]) -> list[Step]:
    return [s for s in steps if s.kind == "warmup" or getattr(s, "warmup", None) is not None]


def test_two_studies_that_share_a_step_pay_for_it_once(study: Path, plan: Plan) -> None:
    other = make_plan(read_study(study, ["name=other", "strategies=[zero-shot, bilingual]"]))
    cells = [*Facts().cells(plan), *Facts().cells(other)]
    fingerprints = {step.fingerprint for step in (*plan.steps, *other.steps)}
    assert len(steps_left(cells, CellState.MISSING)) == len(fingerprints)
    assert len(fingerprints) < len(plan.steps) + len(other.steps)


def test_standing_reads_leases_and_failures_of_the_store(plan: Plan, tmp_path: Path) -> None:
    store = StepStore(tmp_path)
    (running,), (failed,) = _steps(plan, "warmup", 1), _steps(plan, "warmup", 2)
    lease = Leases(store.files).try_lease(running)
    assert lease
    FailureNotes(store).failed(failed, Failure("loss is nan", "a log"))
    cells = ledger(plan, standing_in(store))
    assert _those(cells, CellState.RUNNING) == {("mtl-ws", "es", 1), ("mtl-ws", "de", 1)}
    assert _those(cells, CellState.FAILED) == {("mtl-ws", "es", 2), ("mtl-ws", "de", 2)}
    lease.release(done=False)
    assert not _those(ledger(plan, standing_in(store)), CellState.RUNNING)


def _shown(cells: list[LedgerCell]) -> str:
    from rich.console import Console

    console = Console(width=100, highlight=False)
    with console.capture() as capture:
        show_ledger(StudyLedger(cells), Costs([]), console)
        show_total([StudyLedger(cells)], Costs([]), console)
    return capture.get()


def test_the_table_has_a_mark_for_every_seed_and_says_why_cells_failed(plan: Plan) -> None:
    done = [
        step
        for step in plan.steps
        if step.kind in ("project", "encode", "probe")
        or (step.kind == "finetune" and step.seed == 1 and step.warmup is None)  # type: ignore[attr-defined]
        or (step.kind == "evaluate" and step.model.seed == 1 and step.model.warmup is None)  # type: ignore[attr-defined]
    ]
    facts = Facts(done=done, failed=_steps(plan, "warmup", 2), logged=frozenset())
    text = _shown(facts.cells(plan))
    lines = {tuple(line.split()[:2]): line.split() for line in text.splitlines()}
    assert lines["zero-shot", "es"][2:6] == ["●·", "1", "of", "2"]
    assert lines["mtl-ws", "de"][2:6] == ["·✗", "0", "of", "2"]
    assert "failed:  warm up Z=3 K=2 seed 2: loss is nan" in text
    assert "2026-11-25 00:00 UTC, log: /store/logs/x.log" in text
    assert "12 cells: 4 done, 0 running, 6 missing, 2 failed" in text
    assert "MLflow lacks 4 of the done ones: `xlwarm sync` logs them" in text
    assert set(MARKS) == set(CellState)


def test_the_cost_to_finish_counts_every_step_once_and_missing_cells_apart(plan: Plan) -> None:
    done = [step for step in plan.steps if step.kind not in ("warmup", "finetune", "evaluate")]
    facts = Facts(done=done, failed=_steps(plan, "warmup", 2))
    # Guesses: 0.6 s a training step; warm-ups of 3 x 2 steps for 2 languages, models of 6 steps.
    warmup, model, test = 12 * CPU_GUESS["warmup"], 6 * CPU_GUESS["finetune"], 60.0
    missing = warmup + (2 + 4 + 1) * model + 10 * test
    everything = missing + warmup + model + 2 * test
    cells = facts.cells(plan)
    table = rows([StudyLedger(cells)], Costs([]))
    alone = {(r["strategy"], r["language"], r["seed"]): r["core_seconds_left"] for r in table}
    assert alone["mtl-ws", "es", 2] == round(warmup + model + test, 1)
    text = _shown(cells)
    assert f"to finish: 22 steps, {everything / 60:.0f} min of core time" in text
    assert f"18 steps, {missing / 60:.0f} min of it for missing cells" in text


def test_csv_and_json_have_a_row_for_every_cell(plan: Plan) -> None:
    facts = Facts(failed=_steps(plan, "warmup", 2), logged=frozenset())
    table = rows([StudyLedger(facts.cells(plan))], Costs([]))
    lines = as_csv(table).splitlines()
    assert len(table) == len(lines) - 1 == 12
    assert lines[0].startswith("study,task,backbone,strategy,language,seed,state,in_mlflow")
    (failed, _) = (row for row in table if row["state"] == "failed")
    assert failed["why"] == "warm up Z=3 K=2 seed 2: loss is nan"
    json.dumps(table)


def test_a_database_that_is_not_there_has_no_results_and_is_not_made(tmp_path: Path) -> None:
    assert logged_results(f"sqlite:///{tmp_path}/mlflow.db", "tiny") == frozenset()
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str | Path) -> str:
        xlwarm.main([str(one) for one in arguments], standalone_mode=False)
        return capsys.readouterr().out

    return run


def test_the_command_shows_several_studies_and_writes_nothing(
    study: Path, tmp_path: Path, command: Any
) -> None:
    (tmp_path / "store").mkdir()
    shown = command("status", study, study, "--store", tmp_path / "store", "--format", "csv")
    assert len(shown.splitlines()) == 1 + 2 * 12
    text = command("status", study, "--store", tmp_path / "store", "--only", "zero-shot")
    assert "tiny: ner," in text
    assert "4 cells: 0 done, 0 running, 4 missing, 0 failed" in text
    assert list((tmp_path / "store").iterdir()) == []

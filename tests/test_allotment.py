"""What steps are given: usual, asked for, measured; and what is said when not even one fits."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.allotment import Measured, allot, refusal
from orchestrator.plan import make_plan
from orchestrator.resources import StepResources
from orchestrator.schedule import Resources
from orchestrator.steps.base import Step
from orchestrator.study_file import read_study
from tests.studies import write_study

GIB = 2**30
USUAL = StepResources()
NOTHING = Measured()


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory, tiny_xlmr: Path) -> dict[str, Step]:
    """One step of each kind; replicas have two threads, the warm-up three languages."""
    study = write_study(tmp_path_factory.mktemp("study"), tiny_xlmr, threads=2)
    return {step.kind: step for step in make_plan(read_study(study)).steps}


def test_steps_take_their_threads_and_a_gpu_if_they_run_a_model_where_there_are_any(
    steps: dict[str, Step],
) -> None:
    for kind, own in (
        ("project", Resources(1, 0)),
        ("finetune", Resources(2, 1)),
        ("evaluate", Resources(2, 1)),
    ):
        assert allot(steps[kind], USUAL, NOTHING, {"a": Resources(8, 2)}).own == own
    assert allot(steps["finetune"], USUAL, NOTHING, {"a": Resources(8)}).own == Resources(2)


def test_what_the_study_asks_for_goes_before_what_is_usual_and_what_was_measured(
    steps: dict[str, Step],
) -> None:
    asked = StepResources(cpus=0.5, gpus=0.25, memory_gib=3)
    found = Measured(process=GIB)
    nodes = {"a": Resources(8, 2)}
    assert allot(steps["finetune"], asked, found, nodes).own == Resources(0.5, 0.25, 3 * GIB)
    assert allot(steps["finetune"], USUAL, found, nodes).own == Resources(2, 1, GIB)


@pytest.mark.parametrize(
    ("nodes", "workers"),
    [
        ({"a": Resources(8, 0, 99 * GIB)}, 3),  # one a language, no more
        ({"a": Resources(4, 0, 99 * GIB)}, 2),  # two threads each
        ({"a": Resources(3, 0, 99 * GIB), "b": Resources(3, 0, 99 * GIB)}, 2),  # one a node
        ({"a": Resources(8, 0, 3.5 * GIB)}, 2),  # two replicas and the one that leads
        ({"a": Resources(8, 1, 99 * GIB)}, 1),
    ],
)
def test_a_warmup_gets_as_many_workers_as_fit_the_nodes(
    steps: dict[str, Step], nodes: dict[str, Resources], workers: int
) -> None:
    given = allot(steps["warmup"], USUAL, Measured(process=GIB), nodes)
    assert given.workers == workers
    assert refusal(steps["warmup"], USUAL, NOTHING, given, nodes) is None


def test_a_warmup_that_is_told_its_workers_lets_them_share_the_cores(
    steps: dict[str, Step],
) -> None:
    given = allot(steps["warmup"], USUAL, NOTHING, {"a": Resources(2)}, most_workers=3)
    assert (given.workers, given.worker.cpus) == (3, 0.66)
    assert len(given.demand) == 4


def _refusal(step: Step, found: Measured, nodes: dict[str, Resources], **asked: Any) -> str | None:
    wanted = StepResources(**asked)
    return refusal(step, wanted, found, allot(step, wanted, found, nodes), nodes)


def test_a_replica_that_fits_no_node_is_refused_with_both_numbers(steps: dict[str, Step]) -> None:
    small = {"a": Resources(8, 0, 2 * GIB), "b": Resources(8, 0, 3 * GIB)}
    problem = _refusal(steps["finetune"], Measured(process=3.5 * GIB), small)
    assert "3.50 GiB of memory (measured), the best node offers 3.00 GiB" in str(problem)
    assert "Lower threads, training.batch_size or backbone.max_pieces" in str(problem)
    assert _refusal(steps["finetune"], Measured(process=2.5 * GIB), small) is None


def test_a_share_of_a_gpu_that_is_too_small_for_a_replica_is_refused_with_one_that_is_not(
    steps: dict[str, Step],
) -> None:
    found = Measured(process=GIB, gpu=6 * GIB, gpu_total=16 * GIB)
    nodes = {"a": Resources(8, 2, 99 * GIB)}
    problem = _refusal(steps["finetune"], found, nodes, gpus=0.25)
    assert "a replica was measured to need 6.00 GiB; give it 0.38" in str(problem)
    assert _refusal(steps["finetune"], found, nodes, gpus=0.38) is None


def test_a_probe_and_a_step_on_a_gpu_have_a_process_of_their_own(steps: dict[str, Step]) -> None:
    from orchestrator.launcher import needs_own_process

    on = {True: {"a": Resources(4, 1)}, False: {"a": Resources(4)}}
    alone = {
        (kind, gpus): needs_own_process(step, allot(step, StepResources(), Measured(), nodes))
        for kind, step in steps.items()
        for gpus, nodes in on.items()
    }
    assert {key for key, own in alone.items() if own} == {
        ("probe", True),
        ("probe", False),
        ("finetune", True),
        ("evaluate", True),
    }

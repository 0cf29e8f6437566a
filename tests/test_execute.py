from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.execute import COST, Failure, Resources, rank_by_chain, run_steps
from orchestrator.fingerprints import Json
from orchestrator.steps.base import Step, Surroundings
from orchestrator.store import StepStore


@dataclass(frozen=True, kw_only=True)
class Work(Step):
    kind: ClassVar[str] = "project"
    name: str
    after: tuple[Step, ...] = ()
    width: int = 1

    def title(self) -> str:
        return self.name

    def run(self, folder: Path, around: Surroundings) -> dict[str, Json]:
        raise AssertionError("the launcher of these tests computes nothing")


class Record:
    """Launcher that ends steps in the order they came, and notes how much ran at once."""

    def __init__(self, room: int, failing: Sequence[str] = ()) -> None:
        self.room = Resources(room)
        self.order: list[str] = []
        self.most = 0.0
        self._failing = failing
        self._running: list[Step] = []

    def demand(self, step: Step) -> Resources:
        assert isinstance(step, Work)
        return Resources(step.width)

    def submit(self, step: Step) -> None:
        self._running.append(step)
        self.order.append(step.title())
        self.most = max(self.most, sum(self.demand(one).cpus for one in self._running))

    def collect(self, timeout: float) -> Sequence[tuple[Step, Failure | None]]:
        step = self._running.pop(0)
        return [(step, Failure("no", "log") if step.title() in self._failing else None)]

    def states(self) -> Mapping[str, Mapping[str, Json]]:
        return {}


NOTHING_DONE = StepStore(Path("no-such-store"))


@st.composite
def plans(draw: st.DrawFn) -> list[Work]:
    """Up to eight steps; each may need any earlier ones and is one to three cores wide."""
    steps: list[Work] = []
    for number in range(draw(st.integers(1, 8))):
        after = draw(st.lists(st.sampled_from(steps), unique=True)) if steps else []
        width = draw(st.integers(1, 3))
        steps.append(Work(name=f"s{number}", after=tuple(after), width=width))
    return steps


@given(plans())
def test_steps_run_after_what_they_need_and_never_beyond_the_room(steps: list[Work]) -> None:
    launcher = Record(room=3)
    outcome = run_steps(steps, NOTHING_DONE, launcher, [])
    assert sorted(launcher.order) == sorted(step.name for step in steps)
    assert len(outcome.computed) == len(steps)
    assert launcher.most <= 3
    for step in steps:
        for needed in step.after:
            assert launcher.order.index(needed.title()) < launcher.order.index(step.name)


@given(plans(), st.data())
def test_a_failed_step_costs_only_what_needs_it(steps: list[Work], data: st.DataObject) -> None:
    failing = data.draw(st.sampled_from(steps))
    lost = {failing.name}
    for step in steps:
        if any(needed.title() in lost for needed in step.after):
            lost.add(step.name)
    outcome = run_steps(steps, NOTHING_DONE, Record(3, [failing.name]), [])
    assert [step.title() for step, _ in outcome.failed.values()] == [failing.name]
    assert {step.title() for step in outcome.skipped} == lost - {failing.name}
    assert {step.title() for step in outcome.computed} == {s.name for s in steps} - lost


def test_the_step_with_the_longest_chain_behind_it_starts_first() -> None:
    lone = Work(name="lone")
    head = Work(name="head")
    tail = Work(name="tail", after=(head,))
    steps = [lone, head, tail]
    assert rank_by_chain(steps) == {
        lone.fingerprint: COST["project"],
        head.fingerprint: 2 * COST["project"],
        tail.fingerprint: COST["project"],
    }
    launcher = Record(room=1)
    run_steps(steps, NOTHING_DONE, launcher, [])
    assert launcher.order[0] == "head"

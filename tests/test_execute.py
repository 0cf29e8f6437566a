"""The order of steps: needs, urgency, room, reservations, losses; on simulated nodes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.execute import Failure, Outcome, rank_by_chain, run_steps
from orchestrator.fingerprints import Json
from orchestrator.schedule import (
    Candidate,
    Demand,
    Nodes,
    Resources,
    Seat,
    choose,
    first_opening,
    place,
)
from orchestrator.simulate import SimulatedLauncher
from orchestrator.steps.base import Step, Surroundings
from tests.shelf import Shelf


@dataclass(frozen=True, kw_only=True)
class Work(Step):
    kind: ClassVar[str] = "toy"
    name: str
    after: tuple[Step, ...] = ()
    width: int = 1
    seconds: int = 1

    def title(self) -> str:
        return self.name

    def run(self, folder: Path, around: Surroundings) -> dict[str, Json]:
        raise AssertionError("the launcher of these tests computes nothing")


def _width(step: Step) -> Demand:
    assert isinstance(step, Work)
    return (Resources(step.width),)


def _seconds(step: Step) -> float:
    assert isinstance(step, Work)
    return step.seconds


class Record(SimulatedLauncher):
    """Notes the order and how much ran at once; some steps fail, some are lost some times."""

    def __init__(
        self,
        room: int,
        failing: Sequence[str] = (),
        losing: Mapping[str, int] | None = None,
        retries: int = 0,
    ) -> None:
        super().__init__({"node": Resources(room)}, _width, _seconds)
        self.order: list[str] = []
        self.most = 0.0
        self._failing = failing
        self._losing = Counter(losing or {})
        self._retries = retries

    def retries(self, step: Step) -> int:
        return self._retries

    def submit(self, step: Step) -> None:
        super().submit(step)
        self.order.append(step.title())
        self.most = max(self.most, sum(_width(one)[0].cpus for _, one in self._running))

    def collect(self, timeout: float) -> Sequence[tuple[Step, Failure | None]]:
        if not self._running:
            self._now += timeout
        return [(step, self._fate(step)) for step, _ in super().collect(timeout)]

    def _fate(self, step: Step) -> Failure | None:
        if step.title() in self._failing:
            return Failure("no", "log")
        if self._losing[step.title()] > 0:
            self._losing[step.title()] -= 1
            return Failure("its process died", "log", lost=True)
        return None


NOTHING_DONE = Shelf()


def _run(steps: Sequence[Step], launcher: SimulatedLauncher) -> Outcome:
    return run_steps(steps, NOTHING_DONE, launcher, [], launcher.clock)


@st.composite
def plans(draw: st.DrawFn) -> list[Work]:
    """Up to eight steps; each may need any earlier ones and is one to three cores wide."""
    steps: list[Work] = []
    for number in range(draw(st.integers(1, 8))):
        after = draw(st.lists(st.sampled_from(steps), unique=True)) if steps else []
        width, seconds = draw(st.integers(1, 3)), draw(st.integers(1, 5))
        steps.append(Work(name=f"s{number}", after=tuple(after), width=width, seconds=seconds))
    return steps


@given(plans())
def test_steps_run_after_what_they_need_and_never_beyond_the_room(steps: list[Work]) -> None:
    launcher = Record(room=3)
    outcome = _run(steps, launcher)
    assert sorted(launcher.order) == sorted(step.name for step in steps)
    assert len(outcome.computed) == len(steps)
    assert launcher.most <= 3
    for step in steps:
        for needed in step.after:
            assert launcher.ended[needed.fingerprint] <= launcher.started[step.fingerprint]


@given(plans(), st.data())
def test_a_failed_step_costs_only_what_needs_it(steps: list[Work], data: st.DataObject) -> None:
    failing = data.draw(st.sampled_from(steps))
    lost = {failing.name}
    for step in steps:
        if any(needed.title() in lost for needed in step.after):
            lost.add(step.name)
    outcome = _run(steps, Record(3, [failing.name]))
    assert [step.title() for step, _ in outcome.failed.values()] == [failing.name]
    assert {step.title() for step in outcome.skipped} == lost - {failing.name}
    assert {step.title() for step in outcome.computed} == {s.name for s in steps} - lost


@given(plans(), st.data())
def test_lost_steps_start_again_and_no_other_does(steps: list[Work], data: st.DataObject) -> None:
    losing = data.draw(st.dictionaries(st.sampled_from([s.name for s in steps]), st.integers(1, 2)))
    launcher = Record(3, losing=losing, retries=2)
    outcome = _run(steps, launcher)
    assert not outcome.failed
    assert Counter(launcher.order) == {s.name: 1 + losing.get(s.name, 0) for s in steps}
    assert sorted(outcome.lost.values()) == sorted(losing.values())


def test_a_step_that_is_lost_once_more_than_it_may_be_fails_with_the_last_reason() -> None:
    step = Work(name="unlucky")
    launcher = Record(1, losing={"unlucky": 3}, retries=2)
    outcome = _run([step], launcher)
    assert launcher.order == ["unlucky"] * 3
    [(_, failure)] = outcome.failed.values()
    assert failure.message == "its process died"


def test_a_step_that_failed_for_good_is_not_started_again() -> None:
    launcher = Record(1, failing=["bad input"], retries=3)
    _run([Work(name="bad input")], launcher)
    assert launcher.order == ["bad input"]


def test_a_step_that_no_node_could_hold_fails_at_once_and_the_others_run() -> None:
    giant, small = Work(name="giant", width=9), Work(name="small")
    outcome = _run([giant, small], Record(3))
    [(step, failure)] = outcome.failed.values()
    assert step is giant
    assert "does not fit" in failure.message
    assert outcome.computed == [small]


def test_urgency_is_the_longest_chain_and_then_all_the_work_behind() -> None:
    lone = Work(name="lone", seconds=2)
    head = Work(name="head", seconds=2)
    tails = [Work(name=f"tail{k}", after=(head,), seconds=3 + k) for k in range(2)]
    ranks = rank_by_chain([lone, head, *tails], _seconds)
    assert ranks == {
        lone.fingerprint: (2, 0),
        head.fingerprint: (6, 7),
        tails[0].fingerprint: (3, 0),
        tails[1].fingerprint: (4, 0),
    }
    launcher = Record(room=1)
    _run([lone, head, *tails], launcher)
    assert launcher.order[0] == "head"


def test_the_model_with_the_most_tests_trains_first_where_that_shortens_the_end() -> None:
    """Two cores, three models of 3 s; one is tested seven times, the others once, 1 s each.

    That one first: 0-3 it and another train, 3-6 the third trains beside 3 tests, and 6 tests are
    left for two cores: 9 s. That one last: it trains 3-6 beside the 2 tests of the others, and its
    own 7 are left for two cores: 10 s.
    """
    models = [Work(name=name, seconds=3) for name in ("one-a", "one-b", "all")]
    tests = [
        Work(name=f"test {model.name} {k}", after=(model,))
        for model in models
        for k in range(7 if model.name == "all" else 1)
    ]
    launcher = Record(room=2)
    _run([*models, *tests], launcher)
    assert launcher.makespan == 9


def test_small_steps_fill_the_gap_before_a_wide_one_but_never_keep_it_waiting() -> None:
    """Cores 1 and 2; a ten-second step holds one. The wide step needs both, at 10 s.

    Steps of 4 s fit twice before that; a third would end at 12 s and must come after the wide one.
    """
    nodes = {"node": Resources(2)}
    running = Seat((Resources(1),), ("node",), ends=10)
    wide = Candidate("wide", (Resources(2),), 5)
    short = [Candidate(f"short{k}", (Resources(1),), 4) for k in range(3)]
    assert first_opening(wide.demand, nodes, [running], 0) == 10
    assert set(choose([wide, *short], nodes, [running], now=0)) == {"short0"}
    assert set(choose([wide, *short[1:]], nodes, [running], now=4)) == {"short1"}
    assert set(choose([wide, *short[2:]], nodes, [running], now=8)) == set()


def test_a_wide_step_starts_when_expected_however_many_small_ones_there_are() -> None:
    """The wide one is the most urgent but needs ``first``, so that small ones are on both cores."""
    first = Work(name="first", seconds=1)
    wide = Work(name="wide", width=2, after=(first,), seconds=50)
    small = [Work(name=f"small{k}", seconds=2) for k in range(100)]
    launcher = Record(room=2)
    _run([first, wide, *small], launcher)
    # Nothing was measured when the first ones started; each is taken to be as long as any other.
    assert launcher.started[wide.fingerprint] <= 4


def test_what_leaves_the_reserved_room_free_may_run_longer_than_the_gap() -> None:
    nodes = {"a": Resources(2), "b": Resources(1)}
    running = Seat((Resources(2),), ("a",), ends=10)
    wide = Candidate("wide", (Resources(2),), 5)
    long_but_elsewhere = Candidate("long", (Resources(1),), 99)
    assert choose([wide, long_but_elsewhere], nodes, [running], 0)["long"].nodes == ("b",)


def test_a_step_that_overruns_its_time_opens_no_gap() -> None:
    nodes = {"node": Resources(2)}
    overdue = Seat((Resources(1),), ("node",), ends=5)
    wide = Candidate("wide", (Resources(2),), 5)
    assert choose([wide, Candidate("small", (Resources(1),), 1)], nodes, [overdue], now=20) == {}


def test_parts_lie_on_one_node_each_and_memory_counts() -> None:
    nodes: Nodes = {"a": Resources(4, 0, 10.0), "b": Resources(4, 1, 10.0)}
    assert place((Resources(1, 0, 6.0),) * 2, nodes) == ("a", "b")
    assert place((Resources(1, 0, 6.0),) * 3, nodes) is None
    assert place((Resources(1, 0.5),) * 2, nodes) == ("b", "b")
    assert place((Resources(5),), nodes) is None


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 9)), max_size=8),
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
)
def test_no_node_is_ever_given_more_than_it_has(
    wanted: list[tuple[int, int]], sizes: list[int]
) -> None:
    nodes = {f"n{k}": Resources(size) for k, size in enumerate(sizes)}
    candidates = [
        Candidate(str(k), (Resources(width),), seconds) for k, (width, seconds) in enumerate(wanted)
    ]
    chosen = choose(candidates, nodes, [], now=0)
    used: Counter[str] = Counter()
    for seat in chosen.values():
        for part, node in zip(seat.demand, seat.nodes, strict=True):
            used[node] += int(part.cpus)
    assert all(used[node] <= room.cpus for node, room in nodes.items())

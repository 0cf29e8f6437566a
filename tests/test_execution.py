"""Steps that come and go while others run: what is waited for, dropped, and found on the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.execute import Execution, Failure, Observer, is_behind
from orchestrator.fingerprints import Json
from orchestrator.schedule import Resources
from orchestrator.simulate import SimulatedLauncher
from orchestrator.steps.base import Step, Surroundings
from tests.shelf import Shelf


@dataclass(frozen=True, kw_only=True)
class Stretch(Step):
    """A point on a road, which goes on from any point before it."""

    kind: ClassVar[str] = "stretch"
    road: str
    length: int
    after: tuple[Step, ...] = ()

    @property
    def trajectory(self) -> str:
        return self.road

    @property
    def reach(self) -> int:
        return self.length

    def title(self) -> str:
        return f"{self.road}{self.length}"

    def run(self, folder: Path, around: Surroundings) -> dict[str, Json]:
        raise AssertionError("the launcher of these tests computes nothing")


class Walker(SimulatedLauncher):
    """Room for four; a stretch takes as long as what of its road nobody has walked before."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__({"here": Resources(4)}, lambda _step: (Resources(1),), self._left)
        self.walked: dict[str, int] = {}
        self.order: list[str] = []
        self.stopped: list[str] = []
        self.total = 0.0
        self._shelf = shelf

    def _left(self, step: Step) -> float:
        assert isinstance(step, Stretch)
        return max(0, step.length - self.walked.get(step.road, 0))

    def submit(self, step: Step) -> None:
        self.total += self._left(step)
        self.order.append(step.title())
        super().submit(step)

    def stop(self, step: Step) -> None:
        self.stopped.append(step.title())

    def collect(self, timeout: float) -> Sequence[tuple[Step, Failure | None]]:
        ended = []
        for step, _ in super().collect(timeout):
            assert isinstance(step, Stretch)
            if step.title() in self.stopped:
                ended.append((step, Failure("it was no longer wanted", "none", lost=True)))
                continue
            self.walked[step.road] = max(step.length, self.walked.get(step.road, 0))
            self._shelf.done.add(step.fingerprint)
            ended.append((step, None))
        return ended


class Running(Observer):
    """Titles of the steps that run, by what it was told."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    def started(self, step: Step) -> None:
        self.titles.append(step.title())

    def finished(self, step: Step) -> None:
        self.titles.remove(step.title())

    dropped = finished


def walk(shelf: Shelf, *observers: Observer) -> tuple[Execution, Walker]:
    launcher = Walker(shelf)
    return Execution(shelf, launcher, observers, launcher.clock), launcher


stretches = st.builds(Stretch, road=st.sampled_from("ab"), length=st.integers(1, 9))


@given(st.lists(stretches, min_size=1, max_size=8, unique=True))
def test_of_each_trajectory_as_much_is_computed_as_the_longest_step_asks(
    steps: list[Stretch],
) -> None:
    execution, launcher = walk(Shelf())
    execution.add(steps)
    while execution.busy:
        execution.turn()
    longest = {step.road: 0 for step in steps}
    for step in steps:
        longest[step.road] = max(longest[step.road], step.length)
    assert launcher.total == sum(longest.values())
    assert len(execution.outcome.computed) == len(steps)


def test_a_step_waits_for_any_that_runs_and_any_shorter_that_waits_on_its_trajectory() -> None:
    short, long, other = (
        Stretch(road="a", length=1),
        Stretch(road="a", length=2),
        Stretch(road="b", length=1),
    )
    assert is_behind(long, [], [short, long])
    assert is_behind(short, [long], [short])
    assert not is_behind(short, [], [short, long])
    assert not is_behind(other, [short], [long])


def test_a_step_that_another_leaves_behind_on_its_way_is_taken_and_not_computed() -> None:
    shelf = Shelf()
    execution, launcher = walk(shelf)
    long, short = Stretch(road="a", length=9), Stretch(road="a", length=3)
    execution.add([long])
    execution.start_what_fits()
    execution.add([short])
    shelf.done.add(short.fingerprint)
    while execution.busy:
        execution.turn()
    assert launcher.order == ["a9"]
    assert execution.is_done(short)


def test_what_is_dropped_is_not_started_or_is_stopped_and_can_be_wanted_again() -> None:
    shelf, running = Shelf(), Running()
    execution, launcher = walk(shelf, running)
    runs, waits = Stretch(road="a", length=1), Stretch(road="a", length=2)
    execution.add([runs, waits])
    execution.start_what_fits()
    execution.drop(waits)
    execution.drop(runs)
    assert running.titles == ["a1"]
    while execution.busy:
        execution.turn()
    assert launcher.stopped == ["a1"]
    assert not running.titles
    assert not execution.outcome.failed
    launcher.stopped.clear()
    execution.add([runs, waits])
    while execution.busy:
        execution.turn()
    assert launcher.order == ["a1", "a1", "a2"]


def test_what_is_done_and_dropped_is_forgotten() -> None:
    execution, _ = walk(Shelf())
    steps = [Stretch(road="a", length=1), Stretch(road="b", length=1)]
    execution.add(steps)
    while execution.busy:
        execution.turn()
    for step in steps:
        execution.drop(step)
    assert not execution.outcome.computed
    assert not execution.is_done(steps[0])

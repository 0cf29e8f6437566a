"""Section of a report on training with and without a warm-up (the paper's Figure 2)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from experiments.reports.document import Cell, Figure, Section, Table, number
from experiments.reports.evidence import Evidence
from experiments.reports.figures import Curve, Drawing, curves, panels
from orchestrator.results import training_curve
from trainers.strategies import strategy


@dataclass(frozen=True, slots=True)
class Course:
    """How the models of one strategy were trained: a value a model by step.

    Args:
        dev_f1: On the source dev set, in percent, where it was looked at.
        loss: Mean training loss since the step before.
    """

    dev_f1: Mapping[int, Sequence[float]]
    loss: Mapping[int, Sequence[float]]


def convergence(evidence: Evidence) -> Section | None:
    """Training curves of every strategy that is there cold and warm; None if there is no such."""
    pairs = _trained_pairs(evidence)
    if not pairs:
        return None
    courses = {name: course for pair in pairs for name, course in pair.items()}
    first = min(step for course in courses.values() for step in course.dev_f1)
    return Section(
        "convergence",
        "With and without warm-up",
        (
            "Dev F1 on the source language and training loss along the fine-tuning (the paper's "
            f"Figure 2). The dev set is looked at from step {first} on "
            "(training.select_after); the loss is there from the start.",
        ),
        (
            Figure(
                "convergence",
                "Lines are means over models (seeds), bands go from the lowest to the highest",
                lambda: panels("curves", _drawings(evidence, pairs)),
            ),
            _table(courses, first),
        ),
    )


def _trained_pairs(evidence: Evidence) -> list[dict[str, Course]]:
    """Cold and warm courses by strategy, where there are both."""
    pairs = cold_and_warm(evidence.study.strategies)
    courses = [{name: _course(evidence, name) for name in pair} for pair in pairs]
    return [pair for pair in courses if all(course.loss for course in pair.values())]


def cold_and_warm(names: Iterable[str]) -> list[tuple[str, str]]:
    """Strategies that differ in the warm start alone.

    >>> cold_and_warm(["zero-shot", "bilingual", "mtl-ws"])
    [('zero-shot', 'mtl-ws')]
    """
    by_name = {name: strategy(name) for name in names}
    return [
        (cold, warm)
        for cold, one in by_name.items()
        for warm, other in by_name.items()
        if not one.warm_start
        and other.warm_start
        and not one.members
        and not other.members
        and (one.source, one.translations) == (other.source, other.translations)
    ]


def _course(evidence: Evidence, name: str) -> Course:
    dev_f1: dict[int, list[float]] = {}
    loss: dict[int, list[float]] = {}
    for spec in evidence.plan.specs:
        if spec.strategy == name and evidence.store.has_result(spec.model):
            for point in training_curve(spec, evidence.store):
                loss.setdefault(point["step"], []).append(point["loss"])
                if point["dev_f1"] is not None:
                    dev_f1.setdefault(point["step"], []).append(point["dev_f1"])
    return Course(dev_f1, loss)


def _table(courses: Mapping[str, Course], first: int) -> Table:
    rows = []
    for name, course in courses.items():
        means = {step: fmean(values) for step, values in course.dev_f1.items()}
        best = max(means, key=lambda step: means[step])
        rows.append(
            (
                Cell(name),
                number(means.get(first)),
                number(means[best]),
                Cell(f"{best}", value=best),
                number(fmean(course.loss[min(course.loss)]), 3),
            )
        )
    return Table(
        "convergence",
        "Dev F1 (%) and training loss, means over models",
        ("strategy", f"dev F1 at step {first}", "best mean dev F1", "at step", "first loss"),
        tuple(rows),
    )


def curve_drawings(evidence: Evidence) -> Iterator[Drawing]:
    """Dev F1 and training loss of each pair of a cold and a warm strategy."""
    return _drawings(evidence, _trained_pairs(evidence))


def _drawings(evidence: Evidence, pairs: Iterable[dict[str, Course]]) -> Iterator[Drawing]:
    for pair in pairs:
        for what, label in (("dev_f1", "source dev F1 (%)"), ("loss", "training loss")):
            lines = [
                _curve(name, evidence.look(name), getattr(course, what))
                for name, course in pair.items()
            ]
            yield curves(" and ".join(pair), lines, "training step", label)


def _curve(name: str, look: int, values: Mapping[int, Sequence[float]]) -> Curve:
    steps = sorted(values)
    every = [values[step] for step in steps]
    return Curve(
        name,
        look,
        steps,
        [fmean(some) for some in every],
        [min(some) for some in every],
        [max(some) for some in every],
    )

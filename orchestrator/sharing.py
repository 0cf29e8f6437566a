"""What a plan asks for, what of it is the same, and what of that is done."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.plan import Plan
from orchestrator.steps.base import Step


@dataclass(frozen=True, slots=True)
class Shared:
    """Steps of one kind."""

    kind: str
    asked: int
    """If every strategy, language and seed were computed on its own."""
    distinct: int
    done: int


def sharing(plan: Plan, is_done: Callable[[Step], bool]) -> list[Shared]:
    """One row a kind, in the order in which steps need each other.

    Args:
        plan: Of the study.
        is_done: True for what need not be computed.
    """
    asked = Counter(
        step.kind
        for spec in plan.specs
        for evaluation in spec.evaluations
        for step in behind(evaluation)
    )
    distinct = Counter(step.kind for step in plan.steps)
    done = Counter(step.kind for step in plan.steps if is_done(step))
    depths = _depths(plan)
    return [
        Shared(kind, asked[kind], distinct[kind], done[kind])
        for kind in sorted(distinct, key=lambda kind: depths[kind])
    ]


def _depths(plan: Plan) -> dict[str, int]:
    """How many steps come before one of each kind, at most."""
    depths: dict[str, int] = {}
    kinds: dict[str, int] = {}
    for step in plan.steps:
        depth = 1 + max((depths[needed.fingerprint] for needed in step.needs), default=0)
        depths[step.fingerprint] = depth
        kinds[step.kind] = max(depth, kinds.get(step.kind, 0))
    return kinds


def behind(step: Step) -> list[Step]:
    """``step`` and every step that it needs, each once, needed ones first."""
    found: dict[str, Step] = {}

    def visit(one: Step) -> None:
        if one.fingerprint not in found:
            for needed in one.needs:
                visit(needed)
            found[one.fingerprint] = one

    visit(step)
    return list(found.values())


def critical_path(plan: Plan, seconds: Callable[[Step], float]) -> list[Step]:
    """The chain of steps that takes longest, first step first; no cluster is faster than it.

    Args:
        plan: Of the study.
        seconds: That a step still takes; 0 for one that is done.
    """
    longest: dict[str, tuple[float, Step | None]] = {}
    for step in plan.steps:
        before = max(step.needs, key=lambda one: longest[one.fingerprint][0], default=None)
        reached = longest[before.fingerprint][0] if before else 0.0
        longest[step.fingerprint] = (reached + seconds(step), before)
    last = max(plan.steps, key=lambda step: longest[step.fingerprint][0])
    path: list[Step] = []
    reaching: Step | None = last
    while reaching:
        path.append(reaching)
        reaching = longest[reaching.fingerprint][1]
    return [step for step in reversed(path) if seconds(step)]

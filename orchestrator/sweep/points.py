"""Which points of a space are tried: all of a grid, or draws that a seed settles."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
from ray import tune

from orchestrator.sweep.space import Range, Settings, Space, Value, Values


def domain(parameter: Range | Values) -> Any:
    """``parameter`` as Tune knows it; both ends of a range are included."""
    if isinstance(parameter, Values):
        return tune.choice(list(parameter.values))
    low, high = parameter.low, parameter.high
    if parameter.is_whole:
        draw = tune.lograndint if parameter.is_log else tune.randint
        return draw(int(low), int(high) + 1)
    return (tune.loguniform if parameter.is_log else tune.uniform)(low, high)


def grid(space: Mapping[str, Range | Values]) -> Iterator[Settings]:
    """Every combination of the listed values; the first parameter changes slowest."""
    lists = {name: one.values for name, one in space.items() if isinstance(one, Values)}
    for combination in product(*lists.values()):
        yield dict(zip(lists, combination, strict=True))


def draws(space: Space, seed: int) -> Iterator[Settings]:
    """Draws without end; each is made with every combination of what is marked ``grid``.

    The first n are the same however many are taken.
    """
    crossed = {
        name: one for name, one in space.items() if isinstance(one, Values) and one.kind == "grid"
    }
    domains = {name: domain(one) for name, one in space.items() if name not in crossed}
    chance = np.random.RandomState(seed)
    while True:
        drawn = {name: _plain(one.sample(random_state=chance)) for name, one in domains.items()}
        for combination in grid(crossed):
            point = drawn | combination
            yield {name: point[name] for name in space}


def _plain(value: Any) -> Value:
    plain: Value = value.item() if hasattr(value, "item") else value
    return plain


def contains(space: Space, point: Settings) -> bool:
    """True if ``point`` has a value of each parameter, and no other."""
    return point.keys() == space.keys() and all(
        _allows(space[name], value) for name, value in point.items()
    )


def _allows(parameter: Range | Values, value: Value) -> bool:
    if isinstance(parameter, Values):
        return value in parameter.values
    return isinstance(value, int | float) and parameter.low <= value <= parameter.high

"""Drawings of a sweep: the effect of each setting, a heat map, the curve of the learning rate.

Nothing is said by colour alone: heat maps carry their numbers and a scale that keeps its order in
grey, cells without a score are hatched, and lines differ in dashes and markers.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from experiments.reports.figures import (
    COLOURS,
    INK,
    Dots,
    Drawing,
    dots,
    png,
)
from experiments.reports.sweep_numbers import (
    Effect,
    HeatMap,
    Level,
    heat_map,
    marginal,
    scored,
)
from orchestrator.sweep.records import Sweep, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROUNDS, STEPS, RATE = "warmup.rounds", "warmup.steps", "training.learning_rate"
"""Z, K and the learning rate of the paper's A.1."""

SCALE = "cividis"
"""Colours of heat maps: evenly spaced in lightness, for the colour-blind made the same."""

DARK_BELOW = 0.5
"""Share of the scale up to which its colours are dark, and numbers on them white."""


def drawings(sweep: Sweep, trials: Sequence[Trial]) -> dict[str, Drawing]:
    """What can be drawn of a sweep, by the name that a file of it would have."""
    if not scored(trials):
        return {}
    found = {
        f"effect-{name}": effect_drawing(name, marginal(name, trials, one), sweep.metric)
        for name, one in sweep.parameters.items()
    }
    if {ROUNDS, STEPS} <= sweep.parameters.keys():
        found["heat-map"] = heat_drawing(
            f"{sweep.metric} (%)", heat_map(ROUNDS, STEPS, trials, sweep.parameters)
        )
    if RATE in sweep.parameters:
        found["learning-rate"] = rate_drawing(trials, sweep)
    return found


def effect_drawing(name: str, effects: Sequence[Effect], metric: str) -> Drawing:
    """One row a level: a dot a compared trial, a bar at their mean."""
    rows = [Dots(one.level.label, 0, one.scores) for one in effects if one.scores]
    return dots(name, rows, f"{metric} (%)")


def heat_drawing(title: str, heat: HeatMap) -> Drawing:
    """Z by K: means as numbers on colours; cells without a compared trial are hatched."""

    def draw(axes: "Axes") -> None:
        means = heat.means()
        known = [mean for row in means for mean in row if mean is not None]
        low, high = min(known), max(known)
        grid = [[math.nan if mean is None else mean for mean in row] for row in means]
        colours = axes.pcolormesh(grid, cmap=SCALE, vmin=low, vmax=high, edgecolors=INK, lw=0.4)
        for r, row in enumerate(means):
            for c, mean in enumerate(row):
                if mean is None:
                    _hatch(axes, r, c, heat.at(heat.rows[r], heat.columns[c]).left_out)
                else:
                    dark = high == low or (mean - low) / (high - low) < DARK_BELOW
                    _write(axes, r, c, f"{mean:.1f}", "white" if dark else "black")
        axes.set_xticks(_middles(heat.columns), [one.label for one in heat.columns])
        axes.set_yticks(_middles(heat.rows), [one.label for one in heat.rows])
        axes.set_xlabel(f"K ({STEPS})")
        axes.set_ylabel(f"Z ({ROUNDS})")
        axes.invert_yaxis()
        axes.tick_params(length=0)
        axes.figure.colorbar(colours, ax=axes)

    return Drawing(title, 1.6 + 1.2 * len(heat.rows), draw)


def _middles(levels: Sequence[Level]) -> list[float]:
    return [k + 0.5 for k in range(len(levels))]


def _write(axes: "Axes", row: int, column: int, text: str, ink: str) -> None:
    axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=ink)


def _hatch(axes: "Axes", row: int, column: int, left_out: int) -> None:
    from matplotlib.patches import Rectangle

    corner = (column, row)
    axes.add_patch(Rectangle(corner, 1, 1, fill=False, hatch="////", edgecolor=INK, lw=0))
    if left_out:
        _write(axes, row, column, f"({left_out})", INK)


def rate_drawing(trials: Sequence[Trial], sweep: Sweep) -> Drawing:
    """Score by learning rate: a dot a compared trial, lines through the mean and the best."""
    effects = [one for one in marginal(RATE, trials, sweep.parameters[RATE]) if one.scores]
    centres = [one.level.centre for one in effects]
    found = [(trial.settings[RATE], score) for trial, score in scored(trials)]
    best, mean = [max(one.scores) for one in effects], [one.mean or 0.0 for one in effects]

    def draw(axes: "Axes") -> None:
        axes.plot(*zip(*found, strict=True), "o", color=INK, alpha=0.35, ms=4, label="a trial")
        axes.plot(centres, best, "--", marker="^", color=COLOURS[1], ms=5, label="best")
        axes.plot(centres, mean, "-", marker="s", color=COLOURS[0], ms=5, label="mean")
        axes.set_xscale("log")
        axes.set_xticks(centres, [f"{one:.2g}" for one in centres])
        axes.minorticks_off()
        axes.set_xlabel("learning rate")
        axes.set_ylabel(f"{sweep.metric} (%)")
        axes.legend(frameon=False)

    return Drawing("learning rate", 6.0, draw)


def pngs(drawn: Mapping[str, Drawing]) -> dict[str, bytes]:
    """Every drawing as a file on white, by its name with ``.png``."""
    return {f"{name}.png": png([drawing]) for name, drawing in drawn.items()}

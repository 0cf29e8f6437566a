"""Drawings of a sweep: the effect of each setting, a heat map, the curve of the learning rate.

Nothing is said by colour alone: heat maps carry their numbers and a scale that keeps its order in
grey, cells without a score are hatched, and lines differ in dashes and markers.
"""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from experiments.reports.figures import COLOURS, INK, STYLE, WIDTH, Dots, dot_figure
from experiments.reports.sweep_numbers import Effect, HeatMap, Level, heat_map, marginal, scored
from orchestrator.sweep.records import Sweep, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROUNDS, STEPS, RATE = "warmup.rounds", "warmup.steps", "training.learning_rate"
"""Z, K and the learning rate of the paper's A.1."""

SCALE = "cividis"
"""Colours of heat maps: evenly spaced in lightness, for the colour-blind made the same."""

DARK_BELOW = 0.5
"""Share of the scale up to which its colours are dark, and numbers on them white."""

DOTS_PER_INCH = 150

Draw = Callable[[], "Figure"]


def drawings(sweep: Sweep, trials: Sequence[Trial]) -> dict[str, Draw]:
    """What can be drawn of a sweep, by the name that a file of it would have."""
    if not scored(trials):
        return {}
    found: dict[str, Draw] = {
        f"effect-{name}": partial(effect_figure, marginal(name, trials, one), sweep.metric)
        for name, one in sweep.parameters.items()
    }
    if {ROUNDS, STEPS} <= sweep.parameters.keys():
        heat = heat_map(ROUNDS, STEPS, trials, sweep.parameters)
        found["heat-map"] = partial(heat_figure, heat, "K (warmup.steps)", "Z (warmup.rounds)")
    if RATE in sweep.parameters:
        found["learning-rate"] = partial(rate_figure, trials, sweep)
    return found


def effect_figure(effects: Sequence[Effect], metric: str) -> "Figure":
    """One row a level: a dot a compared trial, a bar at their mean."""
    rows = [Dots(one.level.label, 0, one.scores) for one in effects if one.scores]
    return dot_figure(rows, f"{metric} (%)")


def heat_figure(heat: HeatMap, x_label: str, y_label: str) -> "Figure":
    """Means as numbers on colours; cells without a compared trial are hatched."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        figure, axes = _figure(1.2 + 0.45 * len(heat.rows))
        means = heat.means()
        known = [mean for row in means for mean in row if mean is not None]
        low, high = min(known), max(known)
        grid = [[math.nan if mean is None else mean for mean in row] for row in means]
        colours = axes.pcolormesh(grid, cmap=SCALE, vmin=low, vmax=high, edgecolors=INK, lw=0.4)
        for r, row in enumerate(means):
            for c, mean in enumerate(row):
                if mean is None:
                    _hatched(axes, r, c, heat.at(heat.rows[r], heat.columns[c]).left_out)
                else:
                    dark = high == low or (mean - low) / (high - low) < DARK_BELOW
                    _write(axes, r, c, f"{mean:.1f}", "white" if dark else "black")
        axes.set_xticks(_middles(heat.columns), [one.label for one in heat.columns])
        axes.set_yticks(_middles(heat.rows), [one.label for one in heat.rows])
        axes.invert_yaxis()
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.tick_params(length=0)
        figure.colorbar(colours, ax=axes)
    return figure


def _middles(levels: Sequence[Level]) -> list[float]:
    return [k + 0.5 for k in range(len(levels))]


def _write(axes: "Axes", row: int, column: int, text: str, ink: str) -> None:
    axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=ink)


def _hatched(axes: "Axes", row: int, column: int, left_out: int) -> None:
    from matplotlib.patches import Rectangle

    corner = (column, row)
    axes.add_patch(Rectangle(corner, 1, 1, fill=False, hatch="////", edgecolor=INK, lw=0))
    if left_out:
        _write(axes, row, column, f"({left_out})", INK)


def rate_figure(trials: Sequence[Trial], sweep: Sweep) -> "Figure":
    """Score by learning rate: a dot a compared trial, lines through the mean and the best."""
    import matplotlib

    effects = [one for one in marginal(RATE, trials, sweep.parameters[RATE]) if one.scores]
    centres = [one.level.centre for one in effects]
    found = [(trial.settings[RATE], score) for trial, score in scored(trials)]
    with matplotlib.rc_context(STYLE):
        figure, axes = _figure(2.6)
        axes.plot(*zip(*found, strict=True), "o", color=INK, alpha=0.35, ms=4, label="a trial")
        for name, values, line, marker, colour in (
            ("best", [max(one.scores) for one in effects], "--", "^", COLOURS[1]),
            ("mean", [one.mean or 0.0 for one in effects], "-", "s", COLOURS[0]),
        ):
            axes.plot(centres, values, line, marker=marker, color=colour, ms=5, label=name)
        axes.set_xscale("log")
        axes.set_xlabel("learning rate")
        axes.set_ylabel(f"{sweep.metric} (%)")
        axes.legend(frameon=False)
    return figure


def _figure(height: float) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def pngs(drawn: Mapping[str, Draw]) -> dict[str, bytes]:
    """Every drawing as a file on white, by its name with ``.png``."""
    import matplotlib

    found: dict[str, bytes] = {}
    for name, draw in drawn.items():
        out = io.BytesIO()
        figure = draw()
        with matplotlib.rc_context(STYLE):
            figure.savefig(out, format="png", dpi=DOTS_PER_INCH, facecolor="white")
        found[f"{name}.png"] = out.getvalue()
    return found

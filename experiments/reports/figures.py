"""Drawings of a report as SVG that takes the ink of the page around it, light or dark.

Strategies differ by marker and line as well as by colour (Okabe and Ito's, which the colour-blind
can tell apart), fates by hatching: nothing is said by colour alone.
"""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

from experiments.reports.document import Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#123456"
"""Drawn instead of the page's own ink, which matplotlib has no word for, and then replaced."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
MARKERS = "osD^vPX"
LINES = ("-", "--", "-.", ":")
HATCHES = ("", "///", "\\\\\\", "xxx", "---", "|||")

WIDTH = 3.9
"""Inches of a panel: its letters are large enough on a phone."""

STYLE: Any = {
    "svg.fonttype": "none",
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "hatch.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 10.0,
    "font.sans-serif": ["DejaVu Sans", "sans-serif"],
    "hatch.linewidth": 0.6,
}


@dataclass(frozen=True, slots=True)
class Dots:
    """A row of a dot plot: one dot a seed, a bar at their mean."""

    name: str
    look: int
    """Which colour and marker: the same in all figures of a page."""
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Interval:
    """A row of a plot of differences; filled where it is significant."""

    name: str
    look: int
    value: float
    low: float
    high: float
    filled: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """A line: its mean, and the lowest and highest of what it is the mean of."""

    name: str
    look: int
    x: Sequence[float]
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True, slots=True)
class Bar:
    """A stacked bar, its parts in the order of a legend."""

    name: str
    parts: Sequence[float]


P = ParamSpec("P")


def _styled(draw: "Callable[P, Figure]") -> "Callable[P, Figure]":
    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> "Figure":
        import matplotlib

        with matplotlib.rc_context(STYLE):
            return draw(*args, **kwargs)

    return drawn


@_styled
def dot_figure(rows: Sequence[Dots], label: str) -> "Figure":
    """One row a strategy."""
    figure, axes = _figure(len(rows))
    for k, row in enumerate(rows):
        colour, marker = _look(row.look)
        if len(row.values) > 1:
            mean = sum(row.values) / len(row.values)
            axes.plot([mean] * 2, [k - 0.34, k + 0.34], color=INK, lw=1.8)
        axes.plot(row.values, [k] * len(row.values), marker, color=colour, alpha=0.75, ms=7)
    _name_rows(axes, [row.name for row in rows])
    axes.set_xlabel(label)
    return figure


@_styled
def interval_figure(rows: Sequence[Interval], label: str) -> "Figure":
    """One row a comparison; a line at no difference."""
    figure, axes = _figure(len(rows))
    axes.axvline(0, color=INK, lw=0.8, ls=":")
    for k, row in enumerate(rows):
        colour, marker = _look(row.look)
        axes.plot([row.low, row.high], [k, k], color=INK, lw=1.2)
        face = colour if row.filled else "none"
        axes.plot(row.value, k, marker, mfc=face, mec=colour, mew=1.6, ms=8)
    _name_rows(axes, [row.name for row in rows])
    axes.set_xlabel(label)
    return figure


@_styled
def curve_figure(curves: Sequence[Curve], x_label: str, y_label: str) -> "Figure":
    """Means as lines, ranges as bands."""
    figure, axes = _figure(6)
    for k, curve in enumerate(curves):
        colour, marker = _look(curve.look)
        line = LINES[k % len(LINES)]
        shown = marker if len(curve.x) <= 20 else ""
        axes.plot(
            curve.x, curve.mean, color=colour, ls=line, marker=shown, ms=4.5, label=curve.name
        )
        axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.15, lw=0)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.legend(frameon=False)
    return figure


@_styled
def bar_figure(bars: Sequence[Bar], parts: Sequence[str], label: str) -> "Figure":
    """One stacked bar a row."""
    figure, axes = _figure(len(bars) + 1.6)
    left = [0.0] * len(bars)
    for k, part in enumerate(parts):
        widths = [bar.parts[k] for bar in bars]
        axes.barh(
            range(len(bars)),
            widths,
            left=left,
            height=0.7,
            color=COLOURS[k % len(COLOURS)],
            hatch=HATCHES[k % len(HATCHES)],
            edgecolor=INK,
            lw=0.6,
            label=part,
        )
        left = [start + width for start, width in zip(left, widths, strict=True)]
    _name_rows(axes, [bar.name for bar in bars])
    axes.set_xlabel(label)
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=2, frameon=False, fontsize=9)
    return figure


def _figure(rows: float) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 0.75 + 0.36 * rows), layout="constrained")
    return figure, figure.add_subplot()


def _look(number: int) -> tuple[str, str]:
    """Colour and marker."""
    return COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]


def _name_rows(axes: "Axes", names: Sequence[str]) -> None:
    """First row on top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="x", color=INK, alpha=0.15, lw=0.8)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def panel(title: str, figure: "Figure", key: str) -> Panel:
    """``figure`` as SVG; ``key`` must be unique in the page, because ids in it are made of it."""
    import matplotlib

    out = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": key}):
        figure.savefig(out, format="svg", transparent=True, metadata=nothing)
    svg = out.getvalue()
    return Panel(title, _clean(svg[svg.index("<svg") :]).replace(INK, "currentColor"))


def _clean(svg: str) -> str:
    """Without the names of parts that nothing refers to: they would repeat in every drawing."""
    used = set(re.findall(r"#([\w.-]+)", svg))
    return re.sub(r' id="([\w.-]+)"', lambda one: one[0] if one[1] in used else "", svg)

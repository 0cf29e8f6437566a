"""Drawings of a report as SVG that takes the ink of the page around it, light or dark.

Strategies differ by marker and line as well as by colour (Okabe and Ito's, which the colour-blind
can tell apart), fates by hatching: nothing is said by colour alone.
"""

import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import TYPE_CHECKING, Any

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

BESIDE = 3
"""Panels in a row, where a figure is whole."""

DOTS_PER_INCH = 150

MARKED_POINTS = 20
"""A curve of more has no markers."""

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


@dataclass(frozen=True, slots=True)
class Drawing:
    """What can be drawn, alone or beside others.

    Args:
        title: What it shows.
        rows: Its height, in rows of text.
        draw: Draws it.
    """

    title: str
    rows: float
    draw: "Callable[[Axes], None]"


def dots(title: str, rows: Sequence[Dots], label: str) -> Drawing:
    """One row a strategy."""

    def draw(axes: "Axes") -> None:
        for k, row in enumerate(rows):
            colour, marker = _look(row.look)
            if len(row.values) > 1:
                mean = sum(row.values) / len(row.values)
                axes.plot([mean] * 2, [k - 0.34, k + 0.34], color=INK, lw=1.8)
            axes.plot(row.values, [k] * len(row.values), marker, color=colour, alpha=0.75, ms=7)
        _name_rows(axes, [row.name for row in rows])
        axes.set_xlabel(label)

    return Drawing(title, len(rows), draw)


def intervals(title: str, rows: Sequence[Interval], label: str) -> Drawing:
    """One row a comparison; a line at no difference."""

    def draw(axes: "Axes") -> None:
        axes.axvline(0, color=INK, lw=0.8, ls=":")
        for k, row in enumerate(rows):
            colour, marker = _look(row.look)
            axes.plot([row.low, row.high], [k, k], color=INK, lw=1.2)
            face = colour if row.filled else "none"
            axes.plot(row.value, k, marker, mfc=face, mec=colour, mew=1.6, ms=8)
        _name_rows(axes, [row.name for row in rows])
        axes.set_xlabel(label)

    return Drawing(title, len(rows), draw)


def curves(title: str, lines: Sequence[Curve], x_label: str, y_label: str) -> Drawing:
    """Means as lines, ranges as bands."""

    def draw(axes: "Axes") -> None:
        for k, curve in enumerate(lines):
            colour, marker = _look(curve.look)
            axes.plot(
                curve.x,
                curve.mean,
                color=colour,
                ls=LINES[k % len(LINES)],
                marker=marker if len(curve.x) <= MARKED_POINTS else "",
                ms=4.5,
                label=curve.name,
            )
            axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.15, lw=0)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.legend(frameon=False)

    return Drawing(title, 6.0, draw)


def bars(title: str, rows: Sequence[Bar], parts: Sequence[str], label: str) -> Drawing:
    """One stacked bar a row."""

    def draw(axes: "Axes") -> None:
        left = [0.0] * len(rows)
        for k, part in enumerate(parts):
            widths = [row.parts[k] for row in rows]
            axes.barh(
                range(len(rows)),
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
        _name_rows(axes, [row.name for row in rows])
        axes.set_xlabel(label)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=9)

    return Drawing(title, len(rows) + 1.6, draw)


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


def panels(key: str, drawings: Iterable[Drawing]) -> list[Panel]:
    """Each of ``drawings`` alone, as SVG; ``key`` must be unique in the page, because ids in it
    are made of it.
    """
    return [_panel(drawing, f"{key}-{k}") for k, drawing in enumerate(drawings)]


def _panel(drawing: Drawing, key: str) -> Panel:
    import matplotlib
    from matplotlib.figure import Figure

    out = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": key}):
        figure = Figure(figsize=(WIDTH, _height(drawing)), layout="constrained")
        drawing.draw(figure.add_subplot())
        figure.savefig(out, format="svg", transparent=True, metadata=nothing)
    svg = out.getvalue()
    return Panel(drawing.title, _clean(svg[svg.index("<svg") :]).replace(INK, "currentColor"))


def _height(drawing: Drawing) -> float:
    return 0.75 + 0.36 * drawing.rows


def _clean(svg: str) -> str:
    """Without the names of parts that nothing refers to: they would repeat in every drawing."""
    used = set(re.findall(r"#([\w.-]+)", svg))
    return re.sub(r' id="([\w.-]+)"', lambda one: one[0] if one[1] in used else "", svg)


def side_by_side(drawings: Sequence[Drawing]) -> "Figure":
    """One figure of all ``drawings``, at least one, in rows of :data:`BESIDE`; notebooks show it
    without pyplot.
    """
    import matplotlib

    with matplotlib.rc_context(STYLE):
        columns = min(len(drawings), BESIDE)
        rows = ceil(len(drawings) / columns)
        height = max(map(_height, drawings)) + 0.3
        figure = _shown_figure()(figsize=(WIDTH * columns, height * rows), layout="constrained")
        places = figure.subfigures(rows, columns, squeeze=False).flat
        for place, drawing in zip(places, drawings, strict=False):
            drawing.draw(place.add_subplot())
            place.suptitle(drawing.title, x=0.02, ha="left", fontsize=11, fontweight="bold")
    return figure


def png(drawings: Sequence[Drawing]) -> bytes:
    """A file of all ``drawings``, at least one, :func:`side_by_side` on white."""
    import matplotlib

    out = io.BytesIO()
    figure = side_by_side(drawings)
    with matplotlib.rc_context(STYLE):
        figure.savefig(out, format="png", dpi=DOTS_PER_INCH, facecolor="white")
    return out.getvalue()


@cache
def _shown_figure() -> "type[Figure]":
    from matplotlib.figure import Figure

    class ShownFigure(Figure):
        """A figure that shows itself where a notebook asks an object for its SVG."""

        def _repr_svg_(self) -> str:
            out = io.StringIO()
            self.savefig(out, format="svg")
            return out.getvalue()

    return ShownFigure

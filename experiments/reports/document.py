"""What a report says, whatever it is written as: sections of paragraphs, tables and figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

NOT_DONE = "-"


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of a table.

    Args:
        text: What stands there.
        after: Less important and behind it, such as a deviation.
        mark: A sign that the table's note explains.
        best: Shown bold.
        value: What it is sorted by; None for its text.
        share: Of its row, 0 to 1, where the table is shaded by it.
    """

    text: str
    after: str = ""
    mark: str = ""
    best: bool = False
    value: float | None = None
    share: float | None = None

    @property
    def plain(self) -> str:
        """All of it, without any emphasis."""
        return f"{self.text}{self.after}{self.mark}"


def number(value: float | None, digits: int = 2, *, sign: bool = False) -> Cell:
    """A cell with a number; None is not done.

    >>> number(62.0).text, number(1.5, 1, sign=True).text, number(None).text
    ('62.00', '+1.5', '-')
    """
    if value is None:
        return Cell(NOT_DONE)
    return Cell(f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}", value=value)


def count(value: int) -> Cell:
    """A cell with a whole number.

    >>> count(12345).text
    '12,345'
    """
    return Cell(f"{value:,}", value=value)


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column names its rows.

    Args:
        key: Short name, unique in the report.
        caption: What it shows.
        columns: Headings.
        rows: One cell a column.
        note: What its marks mean.
    """

    key: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One drawing of a figure.

    Args:
        title: What of the figure it shows.
        svg: An ``<svg>`` element; its ink is ``currentColor``.
    """

    title: str
    svg: str


@dataclass(frozen=True, slots=True)
class Figure:
    """Drawings that are made when they are asked for: only some formats have figures.

    Args:
        key: Short name, unique in the report.
        caption: What it shows.
        draw: Makes the panels.
    """

    key: str
    caption: str
    draw: Callable[[], Sequence[Panel]]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report under one heading."""

    key: str
    title: str
    paragraphs: tuple[str, ...] = ()
    parts: tuple[Table | Figure, ...] = ()
    code: str = ""
    """Verbatim, at the end."""

    @property
    def tables(self) -> tuple[Table, ...]:
        """Without the figures between them."""
        return tuple(part for part in self.parts if isinstance(part, Table))


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report."""

    title: str
    sections: tuple[Section, ...]

"""A report as text for a terminal, or as Markdown; figures are left to the page."""

import io
from collections.abc import Mapping
from textwrap import fill

import rich.table
from rich.box import MARKDOWN, SIMPLE, Box
from rich.console import Console
from rich.markup import escape

from experiments.reports.document import Cell, Document, Section, Table

BOXES: Mapping[str, Box] = {"text": SIMPLE, "markdown": MARKDOWN}
"""The two, by the names that commands give them."""

TABLE_WIDTH = 1000
"""Nothing is cut: what is too wide for a terminal is still whole in a file."""
TEXT_WIDTH = 100


def render_text(document: Document, format_name: str) -> str:
    """All of ``document``; ``format_name`` is one of :data:`BOXES`."""
    parts = [_heading(document.title, 1, format_name)]
    parts += [_section(section, format_name) for section in document.sections]
    return "\n\n".join(parts) + "\n"


def _section(section: Section, format_name: str) -> str:
    parts = [_heading(section.title, 2, format_name)]
    parts += [_paragraph(one, format_name) for one in section.paragraphs]
    for table in section.tables:
        parts.append(_paragraph(f"{table.caption}.", format_name))
        parts.append(render_table(table, format_name))
    if section.code:
        parts.append("\n".join(f"    {line}".rstrip() for line in section.code.splitlines()))
    return "\n\n".join(parts)


def _heading(title: str, level: int, format_name: str) -> str:
    if format_name == "markdown":
        return f"{'#' * level} {title}"
    return f"{title}\n{'=-'[level - 1] * len(title)}"


def _paragraph(text: str, format_name: str) -> str:
    return text if format_name == "markdown" else fill(text, TEXT_WIDTH)


def render_table(table: Table, format_name: str, *, colour: bool = False) -> str:
    """One table and its note, without its caption."""
    shown = rich.table.Table(box=BOXES[format_name])
    for k, name in enumerate(table.columns):
        shown.add_column(escape(name), justify="right" if k else "left", no_wrap=True)
    for row in table.rows:
        shown.add_row(*(_cell(cell, format_name) for cell in row))
    out = io.StringIO()
    console = Console(
        file=out,
        width=TABLE_WIDTH,
        force_terminal=colour,
        color_system="standard" if colour else None,
        highlight=False,
    )
    console.print(shown)
    lines = "\n".join(line.rstrip() for line in out.getvalue().splitlines()).strip("\n")
    return f"{lines}\n\n{_paragraph(table.note, format_name)}" if table.note else lines


def _cell(cell: Cell, format_name: str) -> str:
    text = escape(cell.text.replace("|", "\\|") if format_name == "markdown" else cell.text)
    if cell.best:
        text = f"**{text}**" if format_name == "markdown" else f"[bold]{text}[/]"
    return f"{text}{escape(cell.after)}{cell.mark}"

"""A report as a LaTeX document with booktabs; tables can be taken out one by one."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

from experiments.reports.document import Cell, Document

if TYPE_CHECKING:
    from jinja2 import Template

ESCAPES: Mapping[str, str] = MappingProxyType(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': "''",
        "±": r"$\pm$",
        "†": r"\dag{}",
    }
)
_SPECIAL = re.compile("|".join(map(re.escape, ESCAPES)))
_MINUS = re.compile(r"(?<![\w.])-(?=[\d.])")

LONG = 40
"""Rows from which on a table may break over pages."""


def render_latex(document: Document) -> str:
    """A whole document; figures are left to the page."""
    return _template().render(document=document, long=LONG) + "\n"


def escape(text: str) -> str:
    r"""``text`` as LaTeX prints it.

    >>> escape("B_1 & 5 %"), escape("-0.50 ± 0.1")
    ('B\\_1 \\& 5 \\%', '$-$0.50 $\\pm$ 0.1')
    """
    return _MINUS.sub("$-$", _SPECIAL.sub(lambda found: ESCAPES[found[0]], text))


def cell_text(cell: Cell) -> str:
    r"""A field of a table.

    >>> cell_text(Cell("62.00", " ± 0.71", "†", best=True))
    '\\textbf{62.00} $\\pm$ 0.71\\textsuperscript{\\dag{}}'
    """
    text = escape(cell.text)
    mark = f"\\textsuperscript{{{escape(cell.mark)}}}" if cell.mark else ""
    return (f"\\textbf{{{text}}}" if cell.best else text) + escape(cell.after) + mark


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
    )
    environment.filters |= {"tex": escape, "cell": cell_text}
    text = (files("experiments.reports") / "report.tex").read_text(encoding="utf-8")
    return environment.from_string(text)

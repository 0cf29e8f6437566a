"""A report as one HTML page that needs nothing but itself: no network, no other file."""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from experiments.reports.document import Document

if TYPE_CHECKING:
    from jinja2 import Template


def render_page(document: Document) -> str:
    """The whole page."""
    return _template().render(document=document)


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["drawing"] = Markup  # our own figures are the one markup that is not text
    text = (files("experiments.reports") / "page.html").read_text(encoding="utf-8")
    return environment.from_string(text)

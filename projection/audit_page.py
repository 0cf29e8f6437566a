"""The audit as one HTML page that needs nothing but itself: no network, no other file."""

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from projection.audit import measure
from projection.audit_cases import Case
from projection.records import Span

if TYPE_CHECKING:
    from jinja2 import Template

SAMPLE = 200
"""Sentences that are drawn whatever became of them."""
OF_EACH_KIND = 25
"""Sentences more for every drop reason, every error and every fault of a translation."""
COLOURS = 8
"""Of the palette (Okabe and Ito's, which the colour-blind can tell apart); labels beyond repeat
them, which is why the label always stands beside the words."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive words of a row, in one span or in none.

    Args:
        words: With their numbers in the sentence.
        label: Of the span, or empty.
        colour: Its number in the palette.
        note: What became of the span, or is wrong with it; empty if nothing.
    """

    words: tuple[tuple[int, str], ...]
    label: str = ""
    colour: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A case as the page shows it."""

    case: Case
    source: list[Segment]
    target: list[Segment]
    gold: list[Segment]
    """Empty where the projected labels are the gold ones, or there are none."""
    labels: list[str]
    kinds: list[str] = field(default_factory=list)
    """What the page can be filtered by."""

    @property
    def links(self) -> str:
        """In Pharaoh's notation."""
        return str(self.case.alignment)

    @property
    def target_predicate(self) -> int | None:
        """Word of the target that is the predicate (SRL)."""
        sentence = self.case.projection.sentence
        return sentence.predicate if sentence else None


def audit_texts(
    cases: Sequence[Case], *, source: str, target: str, settings: Mapping[str, str]
) -> tuple[str, str]:
    """The audit as JSON and as a page.

    Args:
        cases: As :func:`~projection.audit_cases.make_cases` gives them.
        source: Language of the labelled corpus.
        target: Language of its translation.
        settings: What the projection was made with, for the reader.
    """
    measured = measure(cases)
    languages = {"source": source, "target": target}
    content = {"languages": languages, "settings": dict(settings)} | measured
    page = render_page(
        measured,
        cases,
        title=f"Labels projected from {source} onto {target}",
        settings=settings,
        language=target,
    )
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n", page


def render_page(
    measured: Mapping[str, Any],
    cases: Sequence[Case],
    *,
    title: str,
    settings: Mapping[str, str],
    language: str,
    seed: int = 1,
) -> str:
    """The page.

    Args:
        measured: As :func:`~projection.audit.measure` gives it.
        cases: Of which some are shown.
        title: Of the page.
        settings: What the projection was made with, for the reader.
        language: Of the target.
        seed: Of the sample.
    """
    labels = sorted(measured["labels"])
    colours = {label: k % COLOURS for k, label in enumerate(labels)}
    shown = choose(cases, seed)
    cards = [_card(case, colours) for case in shown]
    return _template().render(
        title=title,
        settings=settings,
        measured=measured,
        language=language,
        source_language=cases[0].source.language if cases else "und",
        cards=cards,
        num_cases=len(cases),
        sample=SAMPLE,
        of_each_kind=OF_EACH_KIND,
        seed=seed,
        labels=labels,
        colours=colours,
        kinds=sorted({kind for card in cards for kind in card.kinds}),
    )


def choose(cases: Sequence[Case], seed: int) -> list[Case]:
    """A sample, and some cases of every kind of loss and error; in file order."""
    order = list(range(len(cases)))
    random.Random(seed).shuffle(order)
    chosen = set(order[:SAMPLE])
    shown: Counter[str] = Counter()
    for k in order:
        new = [kind for kind in _kinds(cases[k]) if shown[kind] < OF_EACH_KIND]
        if new:
            shown.update(_kinds(cases[k]))
            chosen.add(k)
    return [cases[k] for k in sorted(chosen)]


def _kinds(case: Case) -> list[str]:
    """Every way in which something of the case was lost or is wrong."""
    found = {str(reason) for _, reason in case.projection.dropped}
    found |= {str(error) for _, error in case.errors}
    if case.unusable:
        found.add(f"translation {case.unusable}")
    return sorted(found)


def _card(case: Case, colours: Mapping[str, int]) -> Card:
    lost = {span: f"lost: {reason}" for span, reason in case.projection.dropped}
    errors = {span: str(error) for span, error in case.errors}
    differs = case.gold is not None and case.gold != case.spans
    spans = {*case.source.spans, *case.spans, *(case.gold or ())}
    return Card(
        case,
        segments(case.source.tokens, case.source.spans, lost, colours),
        segments(case.target, case.spans, errors, colours),
        segments(case.target, case.gold or (), errors, colours) if differs else [],
        sorted({span.label for span in spans}),
        _kinds(case) or ["nothing lost"],
    )


def segments(
    tokens: Sequence[str],
    spans: Sequence[Span],
    notes: Mapping[Span, str],
    colours: Mapping[str, int],
) -> list[Segment]:
    """Cut a sentence at its spans.

    >>> row = segments(["in", "Oslo"], [Span(1, 2, "LOC")], {}, {"LOC": 3})
    >>> [(segment.label, segment.words) for segment in row]
    [('', ((0, 'in'),)), ('LOC', ((1, 'Oslo'),))]
    """
    cut: list[Segment] = []
    words = tuple(enumerate(tokens))
    done = 0
    for span in spans:
        if span.start > done:
            cut.append(Segment(words[done : span.start]))
        colour = colours.get(span.label, 0)
        inside = words[span.start : span.end]
        cut.append(Segment(inside, span.label, colour, notes.get(span, "")))
        done = span.end
    if done < len(words):
        cut.append(Segment(words[done:]))
    return cut


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["percent"] = lambda share: f"{100 * share:.1f} %"
    text = (files("projection") / "audit_page.html").read_text(encoding="utf-8")
    return environment.from_string(text)

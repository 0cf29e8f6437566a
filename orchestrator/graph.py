"""The steps of a plan as a picture in text: Mermaid or Graphviz."""

from collections.abc import Callable, Iterator, Sequence

from orchestrator.steps.base import Step

COLOURS = {
    "translate": "#fde2e4",
    "project": "#fff1c9",
    "encode": "#e2ece9",
    "warmup": "#ffd6a5",
    "finetune": "#bee1e6",
    "average": "#cddafd",
    "vote": "#e2cfea",
    "evaluate": "#e8e8e8",
}


def mermaid(steps: Sequence[Step], is_done: Callable[[Step], bool]) -> str:
    """A flowchart; what is done has a thick frame. GitHub and many editors draw it.

    Args:
        steps: Needed ones before those that need them.
        is_done: True for what need not be computed.
    """
    return "\n".join(["flowchart LR", *_mermaid_lines(steps, is_done)]) + "\n"


def _mermaid_lines(steps: Sequence[Step], is_done: Callable[[Step], bool]) -> Iterator[str]:
    for kind in dict.fromkeys(step.kind for step in steps):
        yield f"  classDef {kind} fill:{COLOURS.get(kind, '#ffffff')},stroke:#555"
    yield "  classDef done stroke-width:3px"
    for step in steps:
        title = step.title().replace('"', "#quot;")
        yield f'  {_name(step)}["{title}"]:::{step.kind}'
        for needed in step.needs:
            yield f"  {_name(needed)} --> {_name(step)}"
    done = ",".join(_name(step) for step in steps if is_done(step))
    if done:
        yield f"  class {done} done"


def dot(steps: Sequence[Step], is_done: Callable[[Step], bool]) -> str:
    """A digraph for Graphviz (``dot -Tsvg``); arguments as of :func:`mermaid`."""
    return "\n".join(["digraph study {", *_dot_lines(steps, is_done), "}"]) + "\n"


def _dot_lines(steps: Sequence[Step], is_done: Callable[[Step], bool]) -> Iterator[str]:
    yield "  rankdir=LR; node [shape=box, style=filled];"
    for step in steps:
        title = step.title().replace("\\", "\\\\").replace('"', '\\"')
        width = 3 if is_done(step) else 1
        colour = COLOURS.get(step.kind, "#ffffff")
        yield f'  {_name(step)} [label="{title}", fillcolor="{colour}", penwidth={width}];'
        for needed in step.needs:
            yield f"  {_name(needed)} -> {_name(step)};"


def _name(step: Step) -> str:
    return f"{step.kind}_{step.fingerprint[:8]}"


PICTURES = {"mermaid": mermaid, "dot": dot}
"""By the name of the format."""

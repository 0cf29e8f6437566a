"""How ``xlwarm plan`` shows a schedule on nodes that need not exist."""

from typing import TYPE_CHECKING

from experiments.stores import time_text
from orchestrator.cluster_file import ClusterFile
from orchestrator.forecast import HOUR, Forecast

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

COLUMNS = 48
"""Of the picture of a node's load."""

SHADES = " ▁▂▃▄▅▆▇█"
"""From idle to full."""

SHOWN_NODES, SHOWN_WAITS = 24, 5

NAMES = {"gpus": "GPU", "cpus": "core"}


def show_forecast(cluster: ClusterFile, found: Forecast, console: "Console") -> None:
    """Makespan, hours, load of every node over time, and what the idle ones wait for."""
    one = NAMES[found.what]
    busy = found.busy_hours(found.what)
    have = found.capacity() * found.makespan / HOUR
    console.print(
        f"\non {describe(cluster)}: [bold]{time_text(found.makespan)}[/], "
        f"{busy:.2f} {one} hours in use of {have:.2f} ({busy / have:.0%})",
        soft_wrap=True,
    )
    for step, why in found.refused[:SHOWN_WAITS]:
        console.print(f"  cannot run: {step.title()}: {why}", soft_wrap=True)
    console.print(_loads(found))
    console.print(f"\nidle {one} hours, by what runs meanwhile:")
    for kinds, hours in list(found.idle().items())[:SHOWN_WAITS]:
        console.print(f"  {hours:8.2f}  {' and '.join(kinds) or 'nothing'}")


def describe(cluster: ClusterFile) -> str:
    """The nodes in a few words.

    >>> from orchestrator.cluster_file import NodeKind
    >>> describe(ClusterFile(nodes=(NodeKind(name="a", count=2, cpus=8, gpus=4),)))
    '2 x a (8 cores, 4 GPUs)'
    """
    return " and ".join(
        f"{kind.count} x {kind.name} ({kind.cpus:g} cores"
        + (f", {kind.gpus} GPUs" if kind.gpus else "")
        + (f", speed {kind.speed:g})" if kind.speed != 1 else ")")
        for kind in cluster.nodes
    )


def _loads(found: Forecast) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("node", no_wrap=True)
    column = time_text(found.makespan / COLUMNS)
    table.add_column(f"GPUs or cores in use, {column} a column", no_wrap=True)
    table.add_column("on average", justify="right")
    for node in list(found.nodes)[:SHOWN_NODES]:
        share = found.used(node, 0, found.makespan)
        table.add_row(node, load_picture(found, node), f"{share:.0%}")
    if len(found.nodes) > SHOWN_NODES:
        table.add_row(f"and {len(found.nodes) - SHOWN_NODES} more", "", "")
    return table


def load_picture(found: Forecast, node: str) -> str:
    """Share of a node in use over time, a character a stretch."""
    width = found.makespan / COLUMNS
    shares = (found.used(node, k * width, (k + 1) * width) for k in range(COLUMNS))
    return "".join(SHADES[round(min(share, 1.0) * (len(SHADES) - 1))] for share in shares)


def forecast_json(found: Forecast) -> dict[str, object]:
    """The same for programs; seconds and hours."""
    return {
        "makespan": found.makespan,
        "gpu_hours": found.busy_hours("gpus"),
        "core_hours": found.busy_hours("cpus"),
        "load": {node: found.used(node, 0, found.makespan) for node in found.nodes},
        "idle_hours": {"+".join(kinds): hours for kinds, hours in found.idle().items()},
        "refused": {step.title(): why for step, why in found.refused},
        "spans": [
            {
                "step": span.step.fingerprint,
                "start": span.start,
                "end": span.end,
                "nodes": span.seat.nodes,
            }
            for span in found.spans
        ],
    }

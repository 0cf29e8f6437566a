"""The figures of a study, by the names that notebooks and files give them."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from experiments.reports.convergence import curve_drawings
from experiments.reports.evidence import Evidence
from experiments.reports.figures import Drawing, png
from experiments.reports.mistakes import fate_drawings
from experiments.reports.scores import difference_drawings, score_drawings

PLOTS: Mapping[str, Callable[[Evidence], Iterable[Drawing]]] = MappingProxyType(
    {
        "scores": score_drawings,
        "differences": difference_drawings,
        "errors": fate_drawings,
        "curves": curve_drawings,
    }
)


def pictures(evidence: Evidence) -> dict[str, bytes]:
    """Every figure of which something is done, as a file on white, by its name with ``.png``."""
    drawn = {name: list(plot(evidence)) for name, plot in PLOTS.items()}
    return {f"{name}.png": png(drawings) for name, drawings in drawn.items() if drawings}

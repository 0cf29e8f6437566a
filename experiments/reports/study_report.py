"""The report of a study: which sections it has, and in which order."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from experiments.reports.convergence import convergence
from experiments.reports.document import Document, Section
from experiments.reports.evidence import Evidence
from experiments.reports.mistakes import errors, labels
from experiments.reports.origins import cost, projection, reproduction, settings
from experiments.reports.scores import beside_the_paper, differences, summary

MakeSection = Callable[[Evidence], Section | None]


def _once_tested(make: MakeSection) -> MakeSection:
    return lambda evidence: make(evidence) if evidence.found else None


SECTIONS: Mapping[str, MakeSection] = MappingProxyType(
    {
        "scores": summary,
        "differences": _once_tested(differences),
        "paper": _once_tested(beside_the_paper),
        "labels": _once_tested(labels),
        "errors": _once_tested(errors),
        "convergence": convergence,
        "projection": projection,
        "cost": cost,
        "reproduce": reproduction,
        "settings": settings,
    }
)
"""By key, in order; None where there is nothing to show yet."""


def study_report(evidence: Evidence, keys: Sequence[str] = ()) -> Document:
    """Everything that is known so far; sections without anything to show are left out.

    Args:
        evidence: Of the study.
        keys: Of :data:`SECTIONS`: only those; none for all.
    """
    wanted = [make for key, make in SECTIONS.items() if not keys or key in keys]
    found = (make(evidence) for make in wanted)
    return Document(evidence.study.name, tuple(one for one in found if one))

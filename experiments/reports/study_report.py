"""The report of a study: which sections it has, and in which order."""

from experiments.reports.convergence import convergence
from experiments.reports.document import Document
from experiments.reports.evidence import Evidence
from experiments.reports.mistakes import errors, labels
from experiments.reports.origins import cost, projection, reproduction
from experiments.reports.scores import beside_the_paper, differences, summary


def study_report(evidence: Evidence) -> Document:
    """Everything that is known so far; sections without anything to show are left out."""
    sections = [summary(evidence)]
    if evidence.found:
        sections += [differences(evidence)]
        sections += [one for one in [beside_the_paper(evidence)] if one]
        sections += [labels(evidence), errors(evidence)]
    sections += [one for one in (convergence(evidence), projection(evidence)) if one]
    sections += [cost(evidence), reproduction(evidence)]
    return Document(evidence.study.name, tuple(sections))

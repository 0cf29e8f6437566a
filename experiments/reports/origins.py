"""Sections of a report on where its numbers come from: projection, cost, how to make them again."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import yaml

from experiments.reports.document import Cell, Section, Table, count, number
from experiments.reports.evidence import Evidence
from experiments.stores import time_text
from orchestrator.spent import GPU, done_records, period, provenance, spent
from orchestrator.steps.project import COUNTS, ProjectStep
from projection.records import DropReason

SHOWN_DIGITS = 12
"""Of a fingerprint, as elsewhere; the store has all 64."""

PLACEMENT = {"cluster", "resources", "data_root"}
"""Settings that change no number."""


def projection(evidence: Evidence) -> Section | None:
    """What became of the source labels on their way into each language; None before any has."""
    steps = [
        step
        for step in evidence.plan.specs[0].model.encoding.projections
        if evidence.store.has_result(step)
    ]
    if not steps:
        return None
    counts = {step.language: _counts(evidence, step) for step in steps}
    reasons = [reason for reason in DropReason if any(_dropped(c)[reason] for c in counts.values())]
    rows = [
        (
            Cell(language),
            count(found["sentences"]),
            count(found["lost_sentences"]),
            count(kept := sum(found["kept"].values())),
            *(count(_dropped(found)[reason]) for reason in reasons),
            number(100.0 * (lost := _dropped(found).total()) / max(1, kept + lost), 1),
        )
        for language, found in counts.items()
    ]
    headings = ("sentences", "lost", "spans kept", *map(str, reasons), "% dropped")
    whole = Table(
        "projection",
        "Labelled translations, sentences without one, source spans kept and dropped by reason",
        ("language", *headings),
        tuple(rows),
    )
    how = " ".join(dict.fromkeys(step.how for step in steps))
    return Section("projection", "Projection", (how,), (whole, _by_label(counts)))


def _counts(evidence: Evidence, step: ProjectStep) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(evidence.store.read(step, COUNTS))
    return content


def _dropped(counts: dict[str, Any]) -> Counter[str]:
    """Spans by reason."""
    return sum((Counter(reasons) for reasons in counts["dropped"].values()), Counter())


def _by_label(counts: dict[str, dict[str, Any]]) -> Table:
    names = sorted({label for one in counts.values() for label in (*one["kept"], *one["dropped"])})

    def share(found: dict[str, Any], label: str) -> Cell:
        lost = sum(found["dropped"].get(label, {}).values())
        whole = lost + found["kept"].get(label, 0)
        return number(100.0 * lost / whole if whole else None, 1)

    return Table(
        "projection-labels",
        "Source spans dropped (%) by label",
        ("label", *counts),
        tuple((Cell(label), *(share(one, label) for one in counts.values())) for label in names),
    )


def cost(evidence: Evidence) -> Section:
    """Steps and the time they took."""
    rows = []
    found = spent(evidence.plan.steps, evidence.store)
    for one in found:
        each = one.seconds / one.done if one.done else None
        rows.append(
            (
                Cell(one.kind),
                Cell(f"{one.done} of {one.wanted}", value=one.done),
                _time(one.seconds if one.done else None),
                _time(each),
                number(one.gpu_seconds / 3600, 2),
                Cell(", ".join(one.devices)),
            )
        )
    return Section(
        "cost",
        "Cost",
        tuple(_cost_words(evidence, sum(one.gpu_seconds for one in found))),
        (
            Table(
                "cost",
                "Steps and their time; shared steps count once",
                ("steps", "done", "time", "each", "GPU hours", "on"),
                tuple(rows),
            ),
        ),
    )


def _time(seconds: float | None) -> Cell:
    return Cell("-") if seconds is None else Cell(time_text(seconds), value=seconds)


def _cost_words(evidence: Evidence, gpu_seconds: float) -> Iterator[str]:
    records = done_records(evidence.plan.steps, evidence.store)
    when = period(records)
    if when is None:
        yield "No step is done."
        return
    together = sum(record["seconds"] for record in records)
    gpus = f"{gpu_seconds / 3600:.2f} GPU hours" if gpu_seconds else "none of it on a GPU"
    yield (
        f"{len(records)} of {len(evidence.plan.steps)} steps took {time_text(together)} one after "
        f"the other, {gpus}. The first began {when.started:%Y-%m-%d %H:%M} and the last ended "
        f"{when.ended:%Y-%m-%d %H:%M} (UTC); steps run side by side, and pauses between runs count "
        "in that span. Steps that another study had computed are in these sums. Energy was not "
        "measured."
    )


def reproduction(evidence: Evidence) -> Section:
    """Where every score comes from, and the command that makes it again."""
    records = done_records(evidence.plan.steps, evidence.store)
    return Section(
        "reproduce",
        "How to make every number again",
        tuple(_reproduction_words(evidence, records)),
        (_fingerprints(evidence),),
    )


def settings(evidence: Evidence) -> Section:
    """What the study file and ``--set`` say, and the defaults of the rest."""
    return Section(
        "settings",
        "All settings",
        ("Without those that only say where the study runs.",),
        code=yaml.safe_dump(
            evidence.study.model_dump(mode="json", exclude=PLACEMENT), sort_keys=False, width=90
        ),
    )


def _reproduction_words(evidence: Evidence, records: list[dict[str, Any]]) -> Iterator[str]:
    yield f"Command: {evidence.command}"
    yield (
        f"Plan {evidence.plan.fingerprint[:SHOWN_DIGITS]}. A score lies in the store under "
        "evaluate/, the model that it is of under finetune/, each in a folder that begins with "
        "what the table says; step.json there has every input, the content of the files read by "
        "SHA-256, and the versions of all packages. Equal settings give equal fingerprints, and on "
        "machines of one kind equal bits."
    )
    made = provenance(records)
    if made.commits:
        commits = ", ".join(f"{_commit(name)} ({number} steps)" for name, number in made.commits)
        yield f"Code: commit {commits}; + marks changes that were not committed."
        yield f"Versions: {', '.join(name for name, _ in made.versions)}."
    if any(record["device"].startswith(GPU) for record in records):
        yield "Some steps ran on GPUs: repeated there, they are equal to rounding, not to the bit."


def _commit(name: str | None) -> str:
    if name is None:
        return "unknown"
    return name[:SHOWN_DIGITS] + ("+" if name.endswith("+") else "")


def _fingerprints(evidence: Evidence) -> Table:
    rows = []
    for spec in evidence.plan.specs:
        for evaluation in spec.evaluations:
            if evidence.store.has_result(evaluation):
                record = evidence.store.record(evaluation)
                rows.append(
                    (
                        Cell(spec.strategy),
                        Cell(evaluation.language),
                        Cell(str(spec.seed), value=spec.seed),
                        number(record["outputs"]["micro"]["f1"]),
                        Cell(evaluation.fingerprint[:SHOWN_DIGITS]),
                        Cell(spec.model.fingerprint[:SHOWN_DIGITS]),
                        Cell(_commit(record["git_commit"])),
                    )
                )
    return Table(
        "fingerprints",
        "Every score and where it comes from",
        ("strategy", "language", "seed", "F1", "evaluate", "finetune", "commit"),
        tuple(rows),
    )

"""Sections of a report on errors: which labels, which kinds, what is taken for what."""

from collections.abc import Iterator, Sequence
from statistics import fmean

import numpy as np

from experiments.reports.document import Cell, Figure, Section, Table, number
from experiments.reports.evidence import Evidence
from experiments.reports.figures import Bar, Drawing, bars, panels
from orchestrator.predictions import Tested, TestSet
from orchestrator.results import AVERAGE
from projection.span_arrays import Ints
from projection.span_matching import EDGES, FATES, Fate

SHOWN_LABELS = 12
"""Of a confusion; rarer ones are one row and column (SRL has dozens)."""
OTHERS, MISSED, SPURIOUS = "others", "missed", "spurious"


def labels(evidence: Evidence) -> Section:
    """F1 of each label on its own."""
    return Section(
        "labels",
        "Labels",
        (
            "F1 (%) of each label on its own, mean over seeds; in brackets how many gold spans of "
            "it the test set has.",
        ),
        tuple(_label_table(evidence, one) for one in evidence.tests),
    )


def _label_table(evidence: Evidence, language: str) -> Table:
    found = [one for one in evidence.found if one.language == language]
    gold = {label: score["gold"] for one in found for label, score in one.labels.items()}
    names = sorted(gold, key=lambda label: -gold[label])
    by_strategy = {
        strategy: {
            label: fmean(one.labels.get(label, {"f1": 0.0})["f1"] for one in runs)
            for label in names
        }
        for strategy in evidence.study.strategies
        if (runs := [one for one in found if one.strategy == strategy])
    }
    best = {label: max(row[label] for row in by_strategy.values()) for label in names}
    return Table(
        f"labels-{language}",
        f"F1 (%) by label, {language}",
        ("strategy", *(f"{label} ({gold[label]:,.0f})" for label in names)),
        tuple(
            (Cell(strategy), *(_best_number(row[label], best[label]) for label in names))
            for strategy, row in by_strategy.items()
        ),
    )


def _best_number(value: float, best: float) -> Cell:
    text = f"{value:.1f}"
    return Cell(text, value=value, best=text == f"{best:.1f}")


def errors(evidence: Evidence) -> Section:
    """What became of the gold spans, how boundaries are missed, which labels are confused."""
    return Section(
        "errors",
        "Errors",
        (
            "Every gold span has one fate, by the predicted span that shares most words with it: "
            "right; right label but wrong boundary; right words but wrong label; both wrong though "
            "they overlap; or missed. Spurious spans share no word with a gold one. Shares are of "
            "the gold spans, seeds together.",
            "Confusions, of the best strategy and the baseline: every gold span under the label of "
            "the predicted span that shares most words with it, whatever its boundaries; seeds "
            "together, shaded by the share of the row.",
        ),
        (
            Figure(
                "fates",
                "What became of the gold spans, and spurious ones beside them, in percent of the "
                "gold spans",
                lambda: panels("fates", fate_drawings(evidence)),
            ),
            *(_fate_table(evidence, one) for one in evidence.tests),
            *(_confusion_table(evidence, *one) for one in _confusions_shown(evidence)),
        ),
    )


def _runs(test: TestSet, strategy: str) -> list[Tested]:
    return [one for (name, _), one in test.tested.items() if name == strategy]


def _shares(runs: Sequence[Tested]) -> list[float]:
    """Percent of the gold spans: one a fate, then the spurious ones."""
    fates = np.sum([one.fates for one in runs], axis=0)
    whole = max(1, int(fates.sum()))
    counts = [*fates.tolist(), sum(one.spurious for one in runs)]
    return [100.0 * count / whole for count in counts]


def _fate_table(evidence: Evidence, language: str) -> Table:
    test = evidence.tests[language]
    rows = [
        (Cell(name), *(number(share, 1) for share in _shares(runs)), *_edge_cells(runs))
        for name in evidence.study.strategies
        if (runs := _runs(test, name))
    ]
    gold = len(test.gold.spans)
    return Table(
        f"fates-{language}",
        f"Fates of the {gold:,} gold spans, {language} (%); last three columns: of the wrong "
        "boundaries (%)",
        ("strategy", *(FATES[fate] for fate in Fate), SPURIOUS, *EDGES.values()),
        tuple(rows),
    )


def _edge_cells(runs: Sequence[Tested]) -> Iterator[Cell]:
    """Percent of the boundaries that are wrong."""
    edges = np.sum([one.edges for one in runs], axis=0)
    whole = max(1, int(edges.sum()))
    yield from (number(100.0 * edge / whole, 1) for edge in edges.tolist())


def fate_drawings(evidence: Evidence) -> Iterator[Drawing]:
    """What became of the gold spans, by language."""
    parts = [*(FATES[fate] for fate in Fate), SPURIOUS]
    for language, test in evidence.tests.items():
        rows = [
            Bar(name, _shares(runs))
            for name in evidence.study.strategies
            if (runs := _runs(test, name))
        ]
        yield bars(language, rows, parts, "% of gold spans")


def _confusions_shown(evidence: Evidence) -> list[tuple[str, str]]:
    """Language and strategy: the best on average and the baseline, or all that there is."""
    chosen = dict.fromkeys((evidence.best(AVERAGE), evidence.baselines.get(AVERAGE)))
    names = [name for name in chosen if name] or list(evidence.study.strategies)
    return [
        (language, name)
        for language, test in evidence.tests.items()
        for name in names
        if _runs(test, name)
    ]


def _confusion_table(evidence: Evidence, language: str, strategy: str) -> Table:
    test = evidence.tests[language]
    counts = np.sum([one.confusion for one in _runs(test, strategy)], axis=0)
    names, counts = merge_rare(counts, test.gold.labels)
    rows = []
    for k, name in enumerate((*names, SPURIOUS)):
        whole = max(1, int(counts[k].sum()))
        shown = [_confusion_cell(int(n), int(n) / whole) for n in counts[k]]
        rows.append((Cell(name), *(shown[:-1] if name == SPURIOUS else shown)))
    rows[-1] = (*rows[-1], Cell(""))
    return Table(
        f"confusion-{language}-{strategy}",
        f"Gold labels (rows) and predicted ones (columns), {strategy} on {language}",
        ("gold", *names, MISSED),
        tuple(rows),
    )


def _confusion_cell(number: int, share: float) -> Cell:
    return Cell(f"{number:,}", value=number, share=share)


def merge_rare(counts: Ints, names: Sequence[str]) -> tuple[tuple[str, ...], Ints]:
    """The most frequent labels by themselves, the others together before the last row and column.

    Args:
        counts: ``(L + 1, L + 1)``, as :meth:`~projection.span_matching.Matching.confusion` has it.
        names: Of the L labels.

    Returns:
        The names that are left, and counts of their size and one more.
    """
    frequent = np.argsort(-(counts[:-1].sum(axis=1) + counts[:, :-1].sum(axis=0)), kind="stable")
    kept = frequent if len(names) <= SHOWN_LABELS else frequent[: SHOWN_LABELS - 1]
    place = np.full(len(names) + 1, len(kept), dtype=np.int64)
    place[kept] = np.arange(len(kept))
    left = [names[k] for k in kept] + ([OTHERS] if len(kept) < len(names) else [])
    place[-1] = len(left)
    merged = np.zeros((len(left) + 1, len(left) + 1), dtype=np.int64)
    np.add.at(merged, (place[:, None], place[None, :]), counts)
    return tuple(left), merged

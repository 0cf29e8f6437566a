"""The audit of a projection: what was kept, what was lost and why, and how the corpus changed.

With gold labels of the target sentences it also says what is wrong with those that were projected.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from projection.audit_cases import Case
from projection.project import count_projections
from projection.records import DropReason, Span
from projection.scoring import SpanScore, score_overlaps, score_spans

EXAMPLES = 10
"""Of every drop reason."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def measure(cases: Sequence[Case], seed: int = 1) -> dict[str, Any]:
    """All numbers of an audit, ready for JSON.

    Rates, shares and ratios are between 0 and 1 or words per word; precision, recall and F1 are in
    percent.

    Args:
        cases: As :func:`make_cases` gives them.
        seed: Of the examples that are drawn.
    """
    projections = [case.projection for case in cases]
    counts = count_projections(projections)
    reasons = Counter(reason for one in projections for _, reason in one.dropped)
    kept = sum(counts.kept.values())
    return {
        "sentences": {
            "source": len(cases),
            "labelled": counts.sentences,
            "lost": counts.lost_sentences,
            "unusable_translations": _sorted(Counter(c.unusable for c in cases if c.unusable)),
        },
        "spans": {
            "source": kept + reasons.total(),
            "kept": kept,
            "dropped": reasons.total(),
            "drop_rate": counts.drop_rate,
            "target": sum(len(case.spans) for case in cases),
            "kept_by_label": counts.kept,
            "dropped_by_reason": _sorted(reasons),
            "dropped_by_label": counts.dropped,
        },
        "length_ratio": {"sentences": sentence_ratios(cases), "spans": span_widths(cases)},
        "labels": label_shift(cases),
        "gold": score_cases(cases),
        "examples": draw_examples(cases, seed),
    }


def sentence_ratios(cases: Iterable[Case]) -> dict[str, float]:
    """Target words per source word over the blocks with a usable translation.

    Returns:
        ``all`` (all target words by all source words), the mean of the blocks' ratios, quantiles.
    """
    lengths = {c.block: (len(c.target), len(c.source.tokens)) for c in cases if not c.unusable}
    if not lengths:
        return {}
    target, source = np.array(list(lengths.values()), dtype=np.float64).T
    ratios = target / source
    quantiles = np.quantile(ratios, QUANTILES).tolist()
    return {
        "all": float(target.sum() / source.sum()),
        "mean": float(ratios.mean()),
        **{f"p{100 * q:02.0f}": value for q, value in zip(QUANTILES, quantiles, strict=True)},
    }


def span_widths(cases: Sequence[Case]) -> dict[str, dict[str, float]]:
    """By label: mean words of the kept source spans, of the target spans, and target by source."""
    source = _widths(span for case in cases for span in case.projection.kept)
    target = _widths(span for case in cases for span in case.spans)
    return {
        label: {
            "source": float(np.mean(source[label])),
            "target": float(np.mean(target[label])),
            "ratio": float(np.mean(target[label]) / np.mean(source[label])),
        }
        for label in sorted(source.keys() & target.keys())
    }


def _widths(spans: Iterable[Span]) -> dict[str, list[int]]:
    widths: dict[str, list[int]] = {}
    for span in spans:
        widths.setdefault(span.label, []).append(span.end - span.start)
    return widths


def label_shift(cases: Sequence[Case]) -> dict[str, dict[str, float]]:
    """By label: its spans in source and target, its shares among all, and target less source."""
    source = Counter(span.label for case in cases for span in case.source.spans)
    target = Counter(span.label for case in cases for span in case.spans)
    shifts: dict[str, dict[str, float]] = {}
    for label in sorted(source | target):
        before = source[label] / max(1, source.total())
        after = target[label] / max(1, target.total())
        shifts[label] = {
            "source": source[label],
            "target": target[label],
            "source_share": before,
            "target_share": after,
            "shift": after - before,
        }
    return shifts


def score_cases(cases: Sequence[Case]) -> dict[str, Any] | None:
    """Exact and overlapping scores and the kinds of errors; None without gold labels."""
    if any(case.gold is None for case in cases):
        return None
    gold = [case.gold or () for case in cases]
    spans = [case.spans for case in cases]
    exact, overlap = score_spans(gold, spans), score_overlaps(gold, spans)
    return {
        "exact": _ratios(exact.micro),
        "exact_by_label": {label: _ratios(score) for label, score in exact.labels.items()},
        "overlap": asdict(overlap)
        | {"precision": overlap.precision, "recall": overlap.recall, "f1": overlap.f1},
        "errors": _sorted(Counter(error for case in cases for _, error in case.errors)),
    }


def _ratios(score: SpanScore) -> dict[str, float]:
    ratios = {"precision": score.precision, "recall": score.recall, "f1": score.f1}
    return asdict(score) | ratios


def draw_examples(cases: Sequence[Case], seed: int) -> dict[str, list[dict[str, Any]]]:
    """Up to ``EXAMPLES`` dropped spans of every reason, every label before any comes twice."""
    order = list(cases)
    random.Random(seed).shuffle(order)
    drops: dict[DropReason, list[tuple[Span, Case]]] = {}
    for case in order:
        for span, reason in case.projection.dropped:
            drops.setdefault(reason, []).append((span, case))
    return {
        str(reason): [_example(*drop) for drop in _one_of_each_first(found)[:EXAMPLES]]
        for reason, found in sorted(drops.items())
    }


def _one_of_each_first(drops: Sequence[tuple[Span, Case]]) -> list[tuple[Span, Case]]:
    seen: Counter[str] = Counter()
    ranked = []
    for span, case in drops:
        ranked.append((seen[span.label], span, case))
        seen[span.label] += 1
    return [(span, case) for _, span, case in sorted(ranked, key=lambda one: one[0])]


def _example(span: Span, case: Case) -> dict[str, Any]:
    shown = {
        "block": case.block,
        "id": case.source.id,
        "label": span.label,
        "words": " ".join(case.source.tokens[span.start : span.end]),
        "source": " ".join(case.source.tokens),
        "target": " ".join(case.target),
    }
    return shown | ({"translation": str(case.unusable)} if case.unusable else {})


def _sorted(counts: Mapping[Any, int]) -> dict[str, int]:
    """With text as keys, most first."""
    return {str(key): count for key, count in sorted(counts.items(), key=lambda one: -one[1])}

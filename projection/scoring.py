"""Exact span scores: a predicted span counts if start, end and label are right (paper, note 10).

For a closer look there are scores for spans that merely overlap, and the kinds of errors.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from projection.records import Span


@dataclass(frozen=True, slots=True)
class SpanScore:
    """Counts over a corpus, and precision, recall and F1 in percent (0 to 100).

    A ratio with nothing below the line is 0, as in conlleval.
    """

    correct: int
    gold: int
    predicted: int

    @property
    def precision(self) -> float:
        """Share of the predicted spans that are right."""
        return 100.0 * self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold spans that were found."""
        return 100.0 * self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.gold + self.predicted
        return 200.0 * self.correct / total if total else 0.0


@dataclass(frozen=True, slots=True)
class Scores:
    """Micro-average over all labels, and each label on its own (labels sorted)."""

    micro: SpanScore
    labels: dict[str, SpanScore]


def score_spans(gold: Sequence[Iterable[Span]], predicted: Sequence[Iterable[Span]]) -> Scores:
    """Score predicted spans sentence by sentence against gold ones.

    Raises:
        ValueError: The two differ in their number of sentences.
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold sentences but {len(predicted)} predicted ones")
    correct: Counter[str] = Counter()
    in_gold: Counter[str] = Counter()
    in_predicted: Counter[str] = Counter()
    for gold_spans, predicted_spans in zip(gold, predicted, strict=True):
        gold_set, predicted_set = set(gold_spans), set(predicted_spans)
        correct.update(span.label for span in gold_set & predicted_set)
        in_gold.update(span.label for span in gold_set)
        in_predicted.update(span.label for span in predicted_set)
    labels = sorted(in_gold | in_predicted)
    return Scores(
        SpanScore(correct.total(), in_gold.total(), in_predicted.total()),
        {label: SpanScore(correct[label], in_gold[label], in_predicted[label]) for label in labels},
    )


@dataclass(frozen=True, slots=True)
class OverlapScore:
    """Spans that share a word with one of their label on the other side, and ratios in percent."""

    found: int
    """Gold spans that a predicted one of their label overlaps."""
    gold: int
    right: int
    """Predicted spans that a gold one of their label overlaps."""
    predicted: int

    @property
    def precision(self) -> float:
        """Share of the predicted spans that overlap a gold one."""
        return 100.0 * self.right / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold spans that a predicted one overlaps."""
        return 100.0 * self.found / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2.0 * self.precision * self.recall / total if total else 0.0


def score_overlaps(
    gold: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]
) -> OverlapScore:
    """Score predicted spans by whether they meet a gold span of their label at all.

    Raises:
        ValueError: The two differ in their number of sentences.
    """
    both = list(zip(gold, predicted, strict=True))
    return OverlapScore(
        sum(_meets_its_label(span, given) for right, given in both for span in right),
        sum(map(len, gold)),
        sum(_meets_its_label(span, right) for right, given in both for span in given),
        sum(map(len, predicted)),
    )


def _meets_its_label(span: Span, others: Iterable[Span]) -> bool:
    return any(span.label == other.label and _shared(span, other) for other in others)


def _shared(span: Span, other: Span) -> int:
    """How many words two spans share."""
    return max(0, min(span.end, other.end) - max(span.start, other.start))


class SpanError(StrEnum):
    """What is wrong with a span, beside the gold span that it shares most words with."""

    TOO_LONG = "too long"
    TOO_SHORT = "too short"
    SHIFTED = "shifted"
    """Words too many at one end, too few at the other."""
    WRONG_LABEL = "wrong label"
    """The right words."""
    SPURIOUS = "spurious"
    """It shares no word with a gold span."""
    MISSING = "missing"
    """A gold span that shares no word with a predicted one."""


def span_errors(gold: Sequence[Span], predicted: Sequence[Span]) -> list[tuple[Span, SpanError]]:
    """Everything that is wrong in one sentence: predicted spans, then the missing gold ones.

    >>> gold = [Span(0, 2, "PER"), Span(4, 5, "LOC")]
    >>> [(span.start, str(error)) for span, error in span_errors(gold, [Span(1, 3, "PER")])]
    [(1, 'shifted'), (4, 'missing')]
    """
    right = set(gold)
    wrong = [(span, _error(span, gold)) for span in predicted if span not in right]
    missing = [
        (span, SpanError.MISSING)
        for span in gold
        if not any(_shared(span, other) for other in predicted)
    ]
    return wrong + missing


def _error(span: Span, gold: Sequence[Span]) -> SpanError:
    nearest = max(gold, key=lambda one: _shared(span, one), default=None)
    if nearest is None or not _shared(span, nearest):
        return SpanError.SPURIOUS
    if (span.start, span.end) == (nearest.start, nearest.end):
        return SpanError.WRONG_LABEL
    if span.start <= nearest.start and span.end >= nearest.end:
        return SpanError.TOO_LONG
    within = nearest.start <= span.start and span.end <= nearest.end
    return SpanError.TOO_SHORT if within else SpanError.SHIFTED

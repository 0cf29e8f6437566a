"""Exact span scores: a predicted span counts if start, end and label are right (paper, note 10)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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

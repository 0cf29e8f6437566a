"""Edge trimming: what stands at the ends of windows, judged by the whole corpus.

Articles, prepositions and verbs are linked now and then with a word of a span and come to stand at
an end of its window. Over a corpus they give themselves away: such a word stands right outside of
windows far more often than at their ends.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from projection.aligners.keys import fold
from projection.records import Projection, Sentence, Span

MAX_SHARE = 0.1
"""A word is cut off if at most this share of its occurrences at an end of windows is inside."""
MIN_COUNT = 10
"""Words seen less often at the ends of windows are left alone."""
ROUNDS = 2
"""The second sees the words that the first uncovered."""


@dataclass(slots=True)
class EdgeCounts:
    """How often a word is the first (last) word of windows, and the one before (after) them."""

    inside: Counter[str] = field(default_factory=Counter)
    outside: Counter[str] = field(default_factory=Counter)

    def is_foreign(self, word: str) -> bool:
        """True if ``word`` nearly always stands outside."""
        inside, outside = self.inside[word], self.outside[word]
        return inside + outside >= MIN_COUNT and inside <= MAX_SHARE * (inside + outside)


def trim_edges(projections: Sequence[Projection]) -> list[Projection]:
    """Cut words off both ends of windows that nearly always stand beside windows.

    At least one word of every window stays. Labels, and which spans are kept, do not change.
    """
    trimmed = list(projections)
    for _ in range(ROUNDS):
        sentences = [one.sentence for one in trimmed if one.sentence]
        left, right = count_edges(sentences)
        trimmed = [_trim_projection(one, left, right) for one in trimmed]
    return trimmed


def count_edges(sentences: Sequence[Sentence]) -> tuple[EdgeCounts, EdgeCounts]:
    """Counts for the left and for the right end of the windows of ``sentences``."""
    left, right = EdgeCounts(), EdgeCounts()
    for sentence in sentences:
        words = sentence.tokens
        for span in sentence.spans:
            left.inside[fold(words[span.start])] += 1
            right.inside[fold(words[span.end - 1])] += 1
            if span.start > 0:
                left.outside[fold(words[span.start - 1])] += 1
            if span.end < len(words):
                right.outside[fold(words[span.end])] += 1
    return left, right


def _trim_projection(one: Projection, left: EdgeCounts, right: EdgeCounts) -> Projection:
    sentence = one.sentence and _trim(one.sentence, left, right)
    return one if sentence is one.sentence else replace(one, sentence=sentence)


def _trim(sentence: Sentence, left: EdgeCounts, right: EdgeCounts) -> Sentence:
    spans = tuple(_trim_span(span, sentence.tokens, left, right) for span in sentence.spans)
    return sentence if spans == sentence.spans else replace(sentence, spans=spans)


def _trim_span(span: Span, words: Sequence[str], left: EdgeCounts, right: EdgeCounts) -> Span:
    start, end = span.start, span.end
    while end - start > 1 and left.is_foreign(fold(words[start])):
        start += 1
    while end - start > 1 and right.is_foreign(fold(words[end - 1])):
        end -= 1
    return Span(start, end, span.label)

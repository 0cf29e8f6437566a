"""Aligners made of two: word vectors with a statistical model's votes, and a second opinion."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from projection.aligners.base import Aligner, EmbedWords, links
from projection.aligners.embedding import EXTRACTIONS, similarities
from projection.aligners.settings import AlignmentSettings, Vote
from projection.aligners.statistical import StatisticalAligner
from projection.parallel import ParallelCorpus
from projection.records import Alignment

VOTE = 0.1
"""What a link of either direction of the statistical model adds to the cosine of two words.

Chosen on Spanish; docs/results/projection.md has the curve and what it does on other languages.
"""


class BestAligner:
    """The recommended aligner: cosine of word vectors plus eflomal's votes, itermax on the sum.

    The two err differently: word vectors confuse repeated words and lose function words, the
    statistical model is lost on rare words.
    """

    def __init__(
        self, embed: EmbedWords, statistical: StatisticalAligner, settings: AlignmentSettings
    ) -> None:
        self._embed = embed
        self._statistical = statistical
        self._extract = EXTRACTIONS[settings.extract]

    def align(self, corpus: ParallelCorpus) -> list[Alignment]:
        """Train the statistical model on the pairs, then extract links from the sums."""
        forward, backward = self._statistical.directions(corpus)
        compared = similarities(self._embed, corpus.pairs)
        return [
            links(self._extract(similarity + VOTE * (there + back)))
            for similarity, there, back in zip(compared, forward, backward, strict=True)
        ]


class SecondOpinion:
    """An aligner whose links a second one adds to, or must share."""

    def __init__(self, first: Aligner, second: Aligner, vote: Vote) -> None:
        self._first = first
        self._second = second
        self._combine = VOTES[vote]

    def align(self, corpus: ParallelCorpus) -> list[Alignment]:
        """Ask both, and combine pair by pair."""
        both = zip(self._first.align(corpus), self._second.align(corpus), strict=True)
        return [self._combine(one, other) for one, other in both]


def supplement(first: Alignment, second: Alignment) -> Alignment:
    """``first``, and those links of ``second`` of which at least one word has none in ``first``.

    >>> supplement(Alignment([(0, 0)]), Alignment([(0, 0), (0, 1), (1, 0)]))
    Alignment([(0, 0), (0, 1), (1, 0)])
    >>> supplement(Alignment([(0, 0), (1, 1)]), Alignment([(0, 1)]))
    Alignment([(0, 0), (1, 1)])
    """
    sources = {i for i, _ in first.pairs}
    targets = {j for _, j in first.pairs}
    new = [(i, j) for i, j in second.pairs if i not in sources or j not in targets]
    return Alignment([*first.pairs, *new])


def union(first: Alignment, second: Alignment) -> Alignment:
    """The links of either."""
    return Alignment([*first.pairs, *second.pairs])


def intersection(first: Alignment, second: Alignment) -> Alignment:
    """The links of both."""
    return Alignment(set(first.pairs).intersection(second.pairs))


VOTES: Mapping[Vote, Callable[[Alignment, Alignment], Alignment]] = MappingProxyType(
    {Vote.SUPPLEMENT: supplement, Vote.UNION: union, Vote.INTERSECTION: intersection}
)

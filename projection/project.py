"""From a labelled corpus and its translation to a pseudo-labelled corpus, with what was lost."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from projection.aligners import Aligner
from projection.mapping import MapLabels
from projection.parallel import ParallelCorpus, TranslatedPair
from projection.records import Alignment, DropReason, Projection, Sentence


@dataclass(frozen=True, slots=True)
class ProjectionCounts:
    """How many source spans were kept and dropped, by label and by reason."""

    sentences: int
    """Labelled target sentences."""
    lost_sentences: int
    """Source sentences that have no labelled counterpart."""
    kept: dict[str, int]
    dropped: dict[str, dict[DropReason, int]]

    @property
    def drop_rate(self) -> float:
        """Share of the source spans that were lost, 0 to 1."""
        lost = sum(sum(reasons.values()) for reasons in self.dropped.values())
        total = lost + sum(self.kept.values())
        return lost / total if total else 0.0


UNKNOWN_POS = "X"
"""Universal POS tag of a word that no source word is linked with."""


def project_corpus(
    corpus: ParallelCorpus, aligner: Aligner, map_labels: MapLabels
) -> list[Projection]:
    """Align every pair and map its labels.

    Returns:
        One projection for every labelled sentence: those of the pairs in their order, then those
        without a translation.
    """
    alignments = aligner.align(corpus)
    projections = [
        _project(sentence, pair, corpus.language, alignment, map_labels)
        for pair, alignment in zip(corpus.pairs, alignments, strict=True)
        for sentence in pair.sentences
    ]
    lost = [Projection.lost(one, DropReason.UNTRANSLATED) for one in corpus.untranslated]
    return projections + lost


def _project(
    source: Sentence,
    pair: TranslatedPair,
    language: str,
    alignment: Alignment,
    map_labels: MapLabels,
) -> Projection:
    predicate = None
    if source.predicate is not None:
        linked = alignment.targets(range(source.predicate, source.predicate + 1))
        if not linked:
            return Projection.lost(source, DropReason.NO_PREDICATE)
        predicate = linked[0]
    pos = project_pos(source.pos, len(pair.target), alignment) if source.pos else None
    target = Sentence(source.id, language, pair.target, (), pos, predicate)
    return map_labels(source, target, alignment)


def project_pos(
    source_pos: Sequence[str], target_length: int, alignment: Alignment
) -> tuple[str, ...]:
    """POS of every target word: that of the first source word it is linked with, else ``X``.

    >>> project_pos(["ADJ", "NOUN"], 3, Alignment([(0, 1), (1, 0)]))
    ('NOUN', 'ADJ', 'X')
    """
    pos = [UNKNOWN_POS] * target_length
    for i, j in reversed(alignment.pairs):
        pos[j] = source_pos[i]
    return tuple(pos)


def count_projections(projections: Sequence[Projection]) -> ProjectionCounts:
    """Count the fate of every source span."""
    kept: Counter[str] = Counter()
    dropped: dict[str, Counter[DropReason]] = {}
    lost = sum(projection.sentence is None for projection in projections)
    for projection in projections:
        kept.update(span.label for span in projection.kept)
        for span, reason in projection.dropped:
            dropped.setdefault(span.label, Counter())[reason] += 1
    return ProjectionCounts(
        len(projections) - lost,
        lost,
        dict(sorted(kept.items())),
        {label: dict(sorted(reasons.items())) for label, reasons in sorted(dropped.items())},
    )


def labelled(projections: Sequence[Projection]) -> list[Sentence]:
    """The pseudo-labelled sentences."""
    return [projection.sentence for projection in projections if projection.sentence]

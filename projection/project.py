"""From a labelled corpus and its translation to a pseudo-labelled corpus, with what was lost."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

from projection.aligners.base import EmbedWords
from projection.aligners.embedding import PAIRS_AT_ONCE
from projection.columns import DOCSTART
from projection.edges import trim_edges
from projection.inputs import UNKNOWN_POS
from projection.mapping import MappingSettings, Rule, Vectors, map_spans, map_words
from projection.parallel import ParallelCorpus, TranslatedPair
from projection.records import Alignment, Corpus, DropReason, Projection, Sentence
from projection.windows import longest_word


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


def project_corpus(
    corpus: ParallelCorpus,
    alignments: Sequence[Alignment],
    mapping: MappingSettings,
    embed: EmbedWords | None = None,
) -> list[Projection]:
    """Map the labels of every sentence.

    Args:
        corpus: A labelled corpus and its translation.
        alignments: One for each of its pairs.
        mapping: How labels are mapped.
        embed: Word vectors, if ``mapping.rescore`` asks for them.

    Returns:
        One projection for every labelled sentence, in the order of ``corpus.sentences``.
    """
    all_vectors = _vectors(corpus, embed) if mapping.rescore else repeat(None)
    projections = [
        _project(sentence, pair, corpus.language, alignment, mapping, vectors)
        for pair, alignment, vectors in zip(corpus.pairs, alignments, all_vectors, strict=False)
        for sentence in pair.sentences
    ]
    if mapping.trim_edges:
        projections = trim_edges(projections)
    lost = [
        Projection.lost(sentence, DropReason.UNTRANSLATED)
        for one in corpus.untranslated
        for sentence in one.pair.sentences
    ]
    return projections + lost


def _vectors(corpus: ParallelCorpus, embed: EmbedWords | None) -> Iterator[Vectors]:
    if embed is None:
        raise ValueError("mapping.rescore needs word vectors")
    for start in range(0, len(corpus.pairs), PAIRS_AT_ONCE):
        some = corpus.pairs[start : start + PAIRS_AT_ONCE]
        sources = embed([pair.source for pair in some])
        targets = embed([pair.target for pair in some])
        yield from zip(sources, targets, strict=True)


def _project(
    source: Sentence,
    pair: TranslatedPair,
    language: str,
    alignment: Alignment,
    mapping: MappingSettings,
    vectors: Vectors | None,
) -> Projection:
    predicate = None
    if source.predicate is not None:
        linked = alignment.targets(source.predicate, source.predicate + 1)
        if not linked:
            return Projection.lost(source, DropReason.NO_PREDICATE)
        predicate = longest_word(linked, pair.target)
    pos = project_pos(source.pos, len(pair.target), alignment) if source.pos else None
    if pos and source.pos and predicate is not None and source.predicate is not None:
        # "I eat" and one word "como": its tag must be the verb's, whichever word comes first.
        pos = (*pos[:predicate], source.pos[source.predicate], *pos[predicate + 1 :])
    target = Sentence(source.id, language, pair.target, (), pos, predicate)
    if mapping.rule is Rule.WORDS:
        return map_words(source, target, alignment)
    return map_spans(source, target, alignment, mapping, vectors)


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


def in_blocks(
    source: Corpus, corpus: ParallelCorpus, projections: Sequence[Projection]
) -> list[Sentence]:
    """The pseudo-labelled sentences, with something in the place of every one that was lost.

    Args:
        source: The labelled source.
        corpus: ``source`` and its translation.
        projections: As :func:`project_corpus` gives them.

    Returns:
        For every block of ``source``, in order, the sentences that stand on it. A block without
        any, and a sentence that was lost, is the marker ``-DOCSTART-`` alone: readers of column
        files take that for no sentence, so nobody trains on it, and block k stays block k.
    """
    of_sentence = {
        sentence.id: projection.sentence
        for sentence, projection in zip(corpus.sentences, projections, strict=True)
    }
    on_block: list[list[Sentence]] = [[] for _ in source.blocks]
    for sentence, block in zip(source.sentences, source.block_of, strict=True):
        marker = Sentence(sentence.id, corpus.language, (DOCSTART,))
        on_block[block].append(of_sentence[sentence.id] or marker)
    nothing = Sentence("", corpus.language, (DOCSTART,))
    return [sentence for sentences in on_block for sentence in sentences or [nothing]]

"""Labels that come with a translation: checked by a person, or projected by somebody else."""

from collections import Counter

from projection.parallel import ParallelCorpus
from projection.records import Corpus, DropReason, Projection, Sentence, Span


def given_projections(corpus: ParallelCorpus, labelled: Corpus) -> list[Projection]:
    """What :func:`~projection.project.project_corpus` gives, of labels that are there already.

    Nothing says which source span a given one is the translation of, so spans are counted: of n
    source spans with a label and m given ones, the first min(n, m) are kept, and others dropped as
    unaligned.

    Args:
        corpus: A labelled corpus and its translation, one labelled sentence a block.
        labelled: The translation, read with its labels.

    Raises:
        ValueError: They are not of the same blocks and words, or a block has several sentences.
    """
    given: dict[int, tuple[Span, ...]] = {}
    for sentence, block in zip(labelled.sentences, labelled.block_of, strict=True):
        given[block] = sentence.spans
    projections = []
    for pair in corpus.pairs:
        if len(pair.sentences) != 1 or labelled.blocks[pair.block] != pair.target:
            raise ValueError(f"block {pair.block} has several sentences or other words")
        [source] = pair.sentences
        spans = given.get(pair.block, ())
        target = Sentence(source.id, corpus.language, pair.target, spans)
        projections.append(Projection(target, *_fates(source.spans, spans)))
    lost = [
        Projection.lost(sentence, DropReason.UNTRANSLATED)
        for one in corpus.untranslated
        for sentence in one.pair.sentences
    ]
    return projections + lost


def _fates(
    source: tuple[Span, ...], target: tuple[Span, ...]
) -> tuple[tuple[Span, ...], tuple[tuple[Span, DropReason], ...]]:
    left = Counter(span.label for span in target)
    kept, dropped = [], []
    for span in source:
        if left[span.label]:
            left[span.label] -= 1
            kept.append(span)
        else:
            dropped.append((span, DropReason.UNALIGNED))
    return tuple(kept), tuple(dropped)

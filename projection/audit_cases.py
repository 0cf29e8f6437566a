"""The cases of an audit: every labelled source sentence with what became of it, and gold labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from projection.errors import InputError
from projection.parallel import ParallelCorpus, TranslatedPair, Unusable, Words
from projection.records import Alignment, Corpus, Projection, Sentence, Span
from projection.scoring import SpanError, span_errors

Gold = Mapping[str, Sequence[Span]]
"""Gold spans of target sentences, by the id of the source sentence."""


@dataclass(frozen=True, slots=True)
class Case:
    """A labelled source sentence and what became of it.

    Args:
        block: Its number in the source file, from 0.
        source: With its labels.
        target: Words of the translation, usable or not; perhaps none.
        alignment: Empty where there is no usable translation.
        projection: What was kept and dropped.
        unusable: Why the translation cannot be used, or None.
        gold: Gold spans of the target, where there are any gold labels.
    """

    block: int
    source: Sentence
    target: Words
    alignment: Alignment
    projection: Projection
    unusable: Unusable | None = None
    gold: tuple[Span, ...] | None = None

    @property
    def spans(self) -> tuple[Span, ...]:
        """The projected spans."""
        return self.projection.sentence.spans if self.projection.sentence else ()

    @property
    def errors(self) -> list[tuple[Span, SpanError]]:
        """What is wrong beside the gold labels; nothing if there are none."""
        return [] if self.gold is None else span_errors(self.gold, self.spans)


def make_cases(
    corpus: ParallelCorpus,
    alignments: Sequence[Alignment],
    projections: Sequence[Projection],
    gold: Gold | None = None,
) -> list[Case]:
    """One case for every labelled sentence, in file order.

    Args:
        corpus: The labelled source and its translation.
        alignments: One for each of its pairs.
        projections: As :func:`~projection.project.project_corpus` gives them.
        gold: Gold spans of every sentence, if there are any.
    """
    found = zip(corpus.pairs, alignments, [None] * len(alignments), strict=True)
    lost = ((one.pair, Alignment(()), one.reason) for one in corpus.untranslated)
    fates = iter(projections)
    cases = [
        Case(
            pair.block,
            sentence,
            pair.target,
            alignment,
            next(fates),
            reason,
            None if gold is None else tuple(gold[sentence.id]),
        )
        for pair, alignment, reason in (*found, *lost)
        for sentence in pair.sentences
    ]
    return sorted(cases, key=lambda case: case.block)


def gold_of(corpus: ParallelCorpus, gold: Corpus, where: Path) -> Gold:
    """The gold spans of every labelled sentence of ``corpus``.

    Args:
        corpus: A labelled source and its translation.
        gold: The same translation with gold labels: a block for each block of the source, or for
            each that carries labels, or for each of those that is translated.
        where: The file, for messages.

    Raises:
        InputError: The numbers of sentences, or the words, differ.
    """
    pairs = sorted(
        [*corpus.pairs, *(one.pair for one in corpus.untranslated)], key=lambda pair: pair.block
    )
    on_block: dict[int, list[Sentence]] = {}
    for sentence, block in zip(gold.sentences, gold.block_of, strict=True):
        on_block.setdefault(block, []).append(sentence)
    translated = [pair for pair in pairs if pair.target]
    if len(gold.blocks) == corpus.num_blocks:
        matched = [(pair, on_block.get(pair.block, [])) for pair in pairs]
    elif len(on_block) in (len(pairs), len(translated)):
        chosen = pairs if len(on_block) == len(pairs) else translated
        matched = list(zip(chosen, on_block.values(), strict=True))
    else:
        raise InputError(
            f"{where}: expected {corpus.num_blocks} gold blocks as in the source, or "
            f"{len(translated)} as there are labelled and translated ones, got {len(on_block)}"
        )
    spans: dict[str, Sequence[Span]] = {sentence.id: () for sentence in corpus.sentences}
    for pair, sentences in matched:
        spans |= _gold_spans(pair, sentences, where)
    return spans


def _gold_spans(pair: TranslatedPair, gold: Sequence[Sentence], where: Path) -> Gold:
    if not pair.target:
        return {}
    if len(gold) != len(pair.sentences):
        raise InputError(
            f"{where}: block {pair.block + 1} has {len(gold)} labelled sentences, "
            f"but its source has {len(pair.sentences)}"
        )
    for one in gold:
        if one.tokens != pair.target:
            raise InputError(
                f"{where}: block {pair.block + 1} has the words {' '.join(one.tokens)!r}, but the "
                f"translation has {' '.join(pair.target)!r}; gold labels stand on the same words"
            )
    return {source.id: one.spans for source, one in zip(pair.sentences, gold, strict=True)}

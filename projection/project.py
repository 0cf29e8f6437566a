"""From a labelled corpus and its translation to a pseudo-labelled corpus, with what was lost."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from projection.aligners import Aligner
from projection.mapping import MapLabels
from projection.parallel import ParallelCorpus
from projection.records import DropReason, Projection, Sentence


@dataclass(frozen=True, slots=True)
class ProjectionCounts:
    """How many source spans were kept and dropped, by label and by reason."""

    sentences: int
    kept: dict[str, int]
    dropped: dict[str, dict[DropReason, int]]

    @property
    def drop_rate(self) -> float:
        """Share of the source spans that were lost, 0 to 1."""
        lost = sum(sum(reasons.values()) for reasons in self.dropped.values())
        total = lost + sum(self.kept.values())
        return lost / total if total else 0.0


def project_corpus(
    corpus: ParallelCorpus, aligner: Aligner, map_labels: MapLabels
) -> list[Projection]:
    """Align every pair and map its labels, in the order of the corpus."""
    alignments = aligner.align(corpus)
    return [
        map_labels(pair.source, pair.target, alignment)
        for pair, alignment in zip(corpus.pairs, alignments, strict=True)
    ]


def count_projections(projections: Sequence[Projection]) -> ProjectionCounts:
    """Count the fate of every source span."""
    kept: Counter[str] = Counter()
    dropped: dict[str, Counter[DropReason]] = {}
    for projection in projections:
        kept.update(span.label for span in projection.kept)
        for span, reason in projection.dropped:
            dropped.setdefault(span.label, Counter())[reason] += 1
    return ProjectionCounts(
        len(projections),
        dict(sorted(kept.items())),
        {label: dict(sorted(reasons.items())) for label, reasons in sorted(dropped.items())},
    )


def labelled(projections: Sequence[Projection]) -> list[Sentence]:
    """The pseudo-labelled sentences."""
    return [projection.sentence for projection in projections]

"""Exact span F1 of projections against manual gold, by aligner, symmetrisation and mapping.

Needs the opinion-target corpora of Easy-Label-Projection in ``FOLDER/absa/semeval16-ote`` and the
parallel NER corpus of ixa-ehu in ``FOLDER/ner/europarl``; neither is part of xlwarm.

    python -m benchmarks.projection_quality FOLDER [--only best,eflomal] [--kinds]
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from projection.aligners import AlignmentSettings, EmbedWords, make_aligner
from projection.aligners.base import Matrix, symmetrize
from projection.aligners.combined import supplement
from projection.aligners.settings import AlignmentKeys, Extraction, Symmetrization
from projection.aligners.statistical import STATISTICAL, StatisticalAligner
from projection.columns import read_columns, read_text
from projection.mapping import MAPPINGS, PAPER, Conflicts, MappingSettings
from projection.parallel import ParallelCorpus, TranslatedPair, Words, parse_pharaoh
from projection.project import project_corpus
from projection.records import Alignment, Span
from projection.recovery import Recovery
from projection.schemes import TagScheme, decode_tags
from projection.scoring import score_spans, span_errors

ENCODER, LAYER = "bundled:multilingual-e5-small", 7
GOLD = {"es": "en2es/DeepL.Iker.{}.tsv", "fr": "en2fr/Nayla.DeepL.{}.tsv"}


@dataclass(frozen=True)
class Scored:
    """A corpus that is aligned as a whole; the first ``num_scored`` pairs have gold projections."""

    name: str
    corpus: ParallelCorpus
    gold: tuple[Sequence[Span], ...]
    given: tuple[Alignment, ...] = ()

    def f1(self, alignments: Sequence[Alignment], mapping: MappingSettings, embed: EmbedWords):
        return self.score(self.project(alignments, mapping, embed))

    def project(self, alignments, mapping, embed) -> list[Sequence[Span]]:
        projections = project_corpus(self.corpus, alignments, mapping, embed)
        spans = [one.sentence.spans if one.sentence else () for one in projections]
        return spans[: len(self.gold)]

    def score(self, spans: list[Sequence[Span]]) -> float:
        return score_spans(self.gold, spans).micro.f1


def opinion_targets(folder: Path, language: str, scored: str = "train") -> Scored:
    """SemEval-2016 English and its translation; aligned together with the other split's text."""
    pairs: list[TranslatedPair] = []
    gold: list[Sequence[Span]] = []
    given: list[Alignment] = []
    for split in sorted(("train", "test"), key=scored.__ne__):
        english = read_columns(folder / f"original/en.absa.{split}.tsv", "en").corpus
        target = list(_rows(folder / "manual_projections" / GOLD[language].format(split)))
        links = folder / f"translated/en2{language}/DeepL.awesome.{split}.talp"
        lines = links.read_text().splitlines()
        for sentence, (words, tags), line in zip(english.sentences, target, lines, strict=True):
            pairs.append(TranslatedPair(len(pairs), sentence.tokens, words, (sentence,)))
            given.append(parse_pharaoh(line))
            if split == scored:
                gold.append(decode_tags(tags, TagScheme.BIO))
    corpus = ParallelCorpus(language, tuple(pairs), len(pairs))
    return Scored(f"ote-{language}-{scored}", corpus, tuple(gold), tuple(given))


def _rows(path: Path) -> Iterator[tuple[Words, Words]]:
    """First and second column of every block."""
    for block in read_text(path).strip("\n").split("\n\n"):
        rows = [line.split("\t") for line in block.split("\n")]
        yield tuple(row[0] for row in rows), tuple(row[1] for row in rows)


def europarl_names(folder: Path, language: str) -> Scored:
    """799 sentences of Europarl with names labelled in both languages."""
    english, other = (
        read_columns(folder / f"{one}-europarl.test.conll02", one).corpus
        for one in ("en", language)
    )
    pairs = tuple(
        TranslatedPair(k, one.tokens, two.tokens, (one,))
        for k, (one, two) in enumerate(zip(english.sentences, other.sentences, strict=True))
    )
    gold = tuple(sentence.spans for sentence in other.sentences)
    return Scored(f"europarl-{language}", ParallelCorpus(language, pairs, len(pairs)), gold)


FOLDED = AlignmentSettings(keys=AlignmentKeys.FOLDED)
ALIGNERS: Mapping[str, tuple[str, AlignmentSettings]] = {
    "fast_align surface": ("fast_align", AlignmentSettings()),
    "systran": ("systran", FOLDED),
    "eflomal surface": ("eflomal", AlignmentSettings()),
    **{f"embedding {how}": ("embedding", AlignmentSettings(extract=how)) for how in Extraction},
    **{f"best {how}": ("best", AlignmentSettings(extract=how)) for how in Extraction},
    "best + eflomal": ("best", AlignmentSettings(second="eflomal", keys=AlignmentKeys.FOLDED)),
}
"""Statistical aligners with surface keys symmetrise by grow-diag-final-and."""
GIVEN, GIVEN_AND_BEST = "given", "given + best"
MAPPED: Mapping[str, MappingSettings] = {
    "word-to-word": MAPPINGS["word-to-word"],
    "span-to-span": PAPER,
    "+ max_gap 2": MappingSettings(max_gap=2),
    "+ absorb": MappingSettings(absorb=True),
    "+ confidence": MappingSettings(conflicts=Conflicts.CONFIDENCE),
    "+ punctuation": MappingSettings(trim_punctuation=True),
    "+ copy": MappingSettings(recover=Recovery.COPY),
    "+ fuzzy": MappingSettings(recover=Recovery.FUZZY),
    "+ edges": MappingSettings(trim_edges=True),
    "+ rescore": MappingSettings(rescore=True),
    "best": MAPPINGS["best"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", help="names, comma between")
    parser.add_argument("--test", action="store_true", help="score the test part of the targets")
    parser.add_argument("--kinds", action="store_true", help="count errors by kind")
    arguments = parser.parse_args()

    from trainers.backbones import resolve_checkpoint
    from trainers.word_vectors import WordEncoder

    torch.set_num_threads(1)
    embed = WordEncoder(resolve_checkpoint(ENCODER), LAYER, torch.device("cpu"))
    targets = arguments.folder / "absa/semeval16-ote"
    names = arguments.folder / "ner/europarl"
    part = "test" if arguments.test else "train"
    scored = [opinion_targets(targets, language, part) for language in GOLD]
    scored += [europarl_names(names, language) for language in ("de", "es", "it")]
    print("| links | corpus |", " | ".join(MAPPED), "| s |")
    print("|---|---|" + "---|" * len(MAPPED) + "---|")
    every = [*STATISTICAL, *ALIGNERS, GIVEN, GIVEN_AND_BEST]
    for each in scored:
        remembered = _remember(embed)
        for name in arguments.only.split(",") if arguments.only else every:
            for row, alignments, seconds in _align(name, each, remembered):
                _show(row, each, alignments, seconds, remembered, arguments.kinds)


def _remember(embed: EmbedWords) -> EmbedWords:
    """``embed`` that reads every sentence once."""
    known: dict[Words, Matrix] = {}

    def recall(sentences: Sequence[Words]) -> list[Matrix]:
        new = [words for words in dict.fromkeys(sentences) if words not in known]
        known.update(zip(new, embed(new), strict=True))
        return [known[words] for words in sentences]

    return recall


def _show(row, each, alignments, seconds, embed, kinds) -> None:
    found = {name: each.project(alignments, settings, embed) for name, settings in MAPPED.items()}
    cells = [f"{each.score(spans):.1f}" for spans in found.values()]
    print(f"| {row} | {each.name} |", " | ".join(cells), f"| {seconds:.1f} |", flush=True)
    if kinds:
        both = zip(each.gold, found["best"], strict=True)
        kinds = Counter(error for sides in both for _, error in span_errors(*sides))
        print({str(kind): count for kind, count in kinds.items()}, file=sys.stderr)


Row = tuple[str, Sequence[Alignment], float]
"""Name, alignments and the seconds that they took."""


def _align(name: str, each: Scored, embed: EmbedWords) -> Iterator[Row]:
    started = time.perf_counter()
    if name in STATISTICAL:
        yield from _symmetrized(name, each.corpus)
    elif name == GIVEN and each.given:
        yield name, each.given, 0.0
    elif name == GIVEN_AND_BEST and each.given:
        own = make_aligner("best", AlignmentSettings(), embed=embed).align(each.corpus)
        both = [supplement(one, other) for one, other in zip(each.given, own, strict=True)]
        yield name, both, time.perf_counter() - started
    elif name in ALIGNERS:
        aligner, settings = ALIGNERS[name]
        found = make_aligner(aligner, settings, embed=embed).align(each.corpus)
        yield name, found, time.perf_counter() - started


def _symmetrized(name: str, corpus: ParallelCorpus) -> Iterator[Row]:
    """Every symmetrisation of one training, folded keys."""
    started = time.perf_counter()
    forward, backward = StatisticalAligner(STATISTICAL[name], FOLDED).directions(corpus)
    seconds = time.perf_counter() - started
    pairs = [
        tuple(zip(*matrix.nonzero(), strict=True) for matrix in both)
        for both in zip(forward, backward, strict=True)
    ]
    pairs = [(list(there), list(back)) for there, back in pairs]
    shapes = [matrix.shape for matrix in forward]
    for how in Symmetrization:
        found = [symmetrize(*both, shape, how) for both, shape in zip(pairs, shapes, strict=True)]
        yield f"{name} {how}", found, seconds


if __name__ == "__main__":
    main()

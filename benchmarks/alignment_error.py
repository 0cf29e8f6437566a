"""Precision, recall and alignment error rate (AER, Och and Ney 2003) of every aligner.

Needs the manual alignments of the Canadian Hansards (Och and Ney, 447 pairs, links from 1, sure
``i-j`` and possible ``ipj``) and of Europarl (Biçici, 100 German-English pairs, all links sure),
and parallel text to train on: the translations of SemEval-2016 restaurants and of CoNLL-2003 in
Easy-Label-Projection. None is part of xlwarm.

    python -m benchmarks.alignment_error FOLDER [--only best,eflomal]
"""

import argparse
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.projection_quality import ALIGNERS, ENCODER, FOLDED, LAYER, opinion_targets
from projection.aligners import AlignmentSettings, EmbedWords, make_aligner
from projection.aligners.settings import Symmetrization
from projection.aligners.statistical import STATISTICAL
from projection.columns import read_columns, read_text
from projection.parallel import (
    ParallelCorpus,
    TextPair,
    TranslatedPair,
    read_parallel_text,
    read_translation,
)
from projection.records import Alignment

Links = frozenset[tuple[int, int]]

PUBLISHED = """
Published AER, aligners trained on 1.1 million pairs of the Hansards: fast_align 10.5
(lilt/alignment-scripts, grow-diag), eflomal 8.1 (its README), SimAlign 7.6 and awesome-align
without fine-tuning 5.6 (Dou and Neubig 2021). On 508 pairs of German-English Europarl, which are
not the 100 here: 27.0, 22.6, 18.8 and 17.4 (lilt/alignment-scripts; Dou and Neubig 2021).
"""


@dataclass(frozen=True)
class Gold:
    """Sentence pairs with manual links; ``sure`` is part of ``possible``."""

    name: str
    corpus: ParallelCorpus
    sure: tuple[Links, ...]
    possible: tuple[Links, ...]
    extra: Sequence[TextPair]
    extra_name: str


def hansards(folder: Path) -> Gold:
    pairs = read_parallel_text(folder / "align/en-fr-hansards/enfr.src-tgt")
    lines = (folder / "align/en-fr-hansards/enfr.gold").read_text().splitlines()
    marks = [re.findall(r"(\d+)([-p])(\d+)", line) for line in lines]
    sure, possible = (
        tuple(
            frozenset((int(i) - 1, int(j) - 1) for i, mark, j in line if mark in kinds)
            for line in marks
        )
        for kinds in ("-", "-p")
    )
    extra = opinion_targets(folder / "absa/semeval16-ote", "fr").corpus.texts
    return Gold("en-fr Hansards", _corpus(pairs, "fr"), sure, possible, extra, "SemEval-2016 en-fr")


def europarl(folder: Path) -> Gold:
    here = folder / "align/de-en-europarl100"
    german, english = (
        [tuple(line.split()) for line in read_text(here / f"test.{language}").splitlines()]
        for language in ("de", "en")
    )
    pairs = list(zip(german, english, strict=True))
    lines = (here / "de-en.wa").read_text().splitlines()
    links = tuple(
        # One link of line 63 lies outside of its pair.
        frozenset((i, j) for i, j in _links(line) if i < len(pair[0]) and j < len(pair[1]))
        for line, pair in zip(lines, pairs, strict=True)
    )
    names = folder / "ner"
    source = read_columns(names / "conll-2col/en/en.conll.train.tsv.gz", "en").corpus
    path = names / "conll-translated/en2de/DeepL.fast_align.train.tsv.gz"
    inverse = read_translation(source, path, "de").texts
    extra = [(de, en) for en, de in inverse]
    return Gold("de-en Europarl", _corpus(pairs, "en"), links, links, extra, "CoNLL-2003 de-en")


def _links(line: str) -> list[tuple[int, int]]:
    return [(int(i), int(j)) for i, j in re.findall(r"(\d+)-(\d+)", line)]


def _corpus(pairs: Sequence[TextPair], language: str) -> ParallelCorpus:
    blocks = tuple(TranslatedPair(k, *pair) for k, pair in enumerate(pairs))
    return ParallelCorpus(language, blocks, len(blocks))


def error_rates(gold: Gold, found: Sequence[Alignment]) -> tuple[float, float, float]:
    """Precision against possible links, recall of sure ones, AER; percent."""
    links = [frozenset(alignment.pairs) for alignment in found]
    good = sum(len(a & p) for a, p in zip(links, gold.possible, strict=True))
    hit = sum(len(a & s) for a, s in zip(links, gold.sure, strict=True))
    made, wanted = sum(map(len, links)), sum(map(len, gold.sure))
    return 100 * good / made, 100 * hit / wanted, 100 * (1 - (good + hit) / (made + wanted))


COMPARED: Mapping[str, tuple[str, AlignmentSettings]] = {
    **{
        f"{name} {how}": (name, FOLDED.model_copy(update={"symmetrize": how}))
        for name in STATISTICAL
        for how in (Symmetrization.INTERSECTION, Symmetrization.GROW_DIAG_FINAL_AND)
    },
    **ALIGNERS,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", help="names of aligners, comma between")
    arguments = parser.parse_args()

    from trainers.backbones import resolve_checkpoint
    from trainers.word_vectors import WordEncoder

    torch.set_num_threads(1)
    embed = WordEncoder(resolve_checkpoint(ENCODER), LAYER, torch.device("cpu"))
    print("| pairs | trained with | links | precision | recall | AER | s |")
    print("|---|---|---|---|---|---|---|")
    wanted = arguments.only.split(",") if arguments.only else list(COMPARED)
    for gold in (hansards(arguments.folder), europarl(arguments.folder)):
        for name in wanted:
            for extra in ((), gold.extra):
                if not (extra and name.startswith("embedding")):
                    _measure(gold, name, extra, embed)
    print(PUBLISHED)


def _measure(gold: Gold, name: str, extra: Sequence[TextPair], embed: EmbedWords) -> None:
    aligner, settings = COMPARED[name]
    started = time.perf_counter()
    found = make_aligner(aligner, settings, embed=embed, extra=extra).align(gold.corpus)
    seconds = time.perf_counter() - started
    rates = " | ".join(f"{rate:.1f}" for rate in error_rates(gold, found))
    trained = f"+ {gold.extra_name} ({len(extra):,})" if extra else "themselves"
    print(f"| {gold.name} | {trained} | {name} | {rates} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()

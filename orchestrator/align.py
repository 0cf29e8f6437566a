"""``xlwarm align``: word alignments of parallel text, line for line."""

from collections.abc import Sequence
from pathlib import Path

import click

from orchestrator.output import STANDARD_OUTPUT, check_output, write_whole
from orchestrator.projection_options import FILE, aligner_options, extra_text, projection_settings
from orchestrator.stages import Stages, counted
from orchestrator.word_encoder import load_word_encoder
from projection.aligners import make_aligner
from projection.parallel import ParallelCorpus, TextPair, TranslatedPair, read_parallel_text
from projection.records import Alignment


@click.command()
@click.argument("parallel", type=FILE)
@aligner_options
@click.option("--encoding", default="utf-8", show_default=True, help="Of PARALLEL.")
@click.option(
    "--out", type=FILE, default=STANDARD_OUTPUT, metavar="FILE", help="[default: standard output]"
)
def align(
    parallel: Path,
    aligner: str,
    symmetrize: str | None,
    parallel_text: tuple[Path, ...],
    encoder: str | None,
    threads: int,
    overrides: tuple[str, ...],
    encoding: str,
    out: Path,
) -> None:
    """Align PARALLEL, lines of tokenised 'source words ||| target words'.

    Line k of the output holds the links of line k as pairs i-j: word i of the source, word j of the
    target, both from 0. A line with an empty side has no links and gives an empty line.
    """
    settings = projection_settings(
        aligner=aligner,
        symmetrize=symmetrize,
        encoder=encoder,
        parallel_text=parallel_text,
        overrides=overrides,
    )
    check_output(out, [parallel, *parallel_text])
    texts = read_parallel_text(parallel, encoding)
    extra = extra_text(settings)
    stages = Stages()
    embed = None
    if settings.compares_words:
        layer = settings.alignment.layer
        with stages.stage(f"loading the encoder {settings.encoder}"):
            embed = load_word_encoder(settings.encoder, layer, threads=threads)
    corpus = _corpus(texts)
    with stages.stage(f"aligning {len(corpus.pairs)} pairs ({settings.aligner})") as observe:
        found = make_aligner(
            settings.aligner,
            settings.alignment,
            embed=counted(embed, observe, 2 * len(corpus.pairs)),
            extra=extra,
        ).align(corpus)
    write_whole(out, "".join(line + "\n" for line in _lines(corpus, found)))


def _corpus(texts: Sequence[TextPair]) -> ParallelCorpus:
    """The pairs with words on both sides."""
    pairs = (TranslatedPair(k, *text) for k, text in enumerate(texts) if all(text))
    return ParallelCorpus("und", tuple(pairs), len(texts))


def _lines(corpus: ParallelCorpus, alignments: Sequence[Alignment]) -> list[str]:
    lines = [""] * corpus.num_blocks
    for pair, alignment in zip(corpus.pairs, alignments, strict=True):
        lines[pair.block] = str(alignment)
    return lines

"""``xlwarm project``: the labels of one corpus carried over to its translation, from files."""

from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from orchestrator.data_settings import ProjectionSettings
from orchestrator.output import check_output, write_whole
from orchestrator.projection_options import (
    FILE,
    aligner_options,
    extra_text,
    language_pair,
    projection_settings,
    source_options,
)
from orchestrator.stages import Stages, counted
from orchestrator.steps.project import describe_settings
from orchestrator.word_encoder import load_word_encoder
from projection.aligners import make_aligner
from projection.audit import measure
from projection.audit_cases import Case, gold_of, make_cases
from projection.audit_page import audit_texts
from projection.columns import write_columns
from projection.corpora import Format, read_corpus
from projection.mapping import Rule, mapping_name
from projection.parallel import ParallelCorpus
from projection.project import in_blocks, project_corpus
from projection.records import Alignment, Projection
from projection.schemes import TagScheme
from projection.translators import LanguagePair
from projection.translators.quality import read_usable

WRITTEN = [scheme.value for scheme in TagScheme if scheme is not TagScheme.IOB1]


@click.command()
@source_options
@click.option(
    "--translation",
    type=FILE,
    required=True,
    metavar="FILE",
    help="Of the source, block for block: one tokenised sentence a line, or columns.",
)
@aligner_options
@click.option(
    "--mapping",
    default="span-to-span",
    show_default=True,
    metavar="NAME",
    help="span-to-span, word-to-word or best.",
)
@click.option(
    "--scheme",
    type=click.Choice(WRITTEN),
    default=TagScheme.BIO.value,
    show_default=True,
    help="Tags that are written; bio is IOB2.",
)
@click.option("--out", type=FILE, required=True, metavar="FILE", help="- for standard output.")
@click.option(
    "--audit", type=FILE, metavar="FILE", help="Write the audit as FILE.html and FILE.json."
)
@click.option(
    "--gold", type=FILE, metavar="FILE", help="The translation with gold labels, for the audit."
)
@click.option(
    "--gold-format",
    type=click.Choice([form.value for form in Format]),
    default=Format.COLUMNS.value,
    show_default=True,
    help="How the gold labels are written.",
)
@click.option("--translation-encoding", metavar="NAME", help="[default: that of the source]")
def project(
    source: Path,
    languages: str,
    form: str,
    encoding: str,
    translation: Path,
    translation_encoding: str | None,
    aligner: str,
    symmetrize: str | None,
    parallel_text: tuple[Path, ...],
    encoder: str | None,
    threads: int,
    overrides: tuple[str, ...],
    mapping: str,
    scheme: str,
    out: Path,
    audit: Path | None,
    gold: Path | None,
    gold_format: str,
) -> None:
    """Carry the labels of a corpus over to its translation.

    Writes rows 'word TAB tag', one block for each block of the source (Universal PropBank: for each
    predicate). A block that has no labels to carry, because it is a document marker or its
    translation is missing or unusable, is the marker -DOCSTART- alone, which readers skip. What was
    kept and dropped is said on standard error, and sentence by sentence in the audit.
    """
    pair = language_pair(languages)
    settings = _fit(
        projection_settings(
            aligner=aligner,
            symmetrize=symmetrize,
            encoder=encoder,
            parallel_text=parallel_text,
            overrides=overrides,
            mapping=mapping,
        ),
        Format(form),
        TagScheme(scheme),
    )
    reports = _audit_paths(audit) if audit else ()
    inputs = [one for one in (source, translation, gold, *parallel_text) if one]
    for path in (out, *reports):
        check_output(path, inputs)

    stages = Stages()
    with stages.stage(f"reading {source} and {translation}"):
        labelled = read_corpus([source], pair.source, Format(form), encoding=encoding)
        corpus = read_usable(
            labelled, translation, pair.target, encoding=translation_encoding or encoding
        )
        right = None
        if gold:
            wanted = translation_encoding or encoding
            read = read_corpus([gold], pair.target, Format(gold_format), encoding=wanted)
            right = gold_of(corpus, read, gold)
    alignments, projections = _project(corpus, settings, threads, stages)
    text = StringIO()
    write_columns(in_blocks(labelled, corpus, projections), text, TagScheme(scheme))
    write_whole(out, text.getvalue())
    cases = make_cases(corpus, alignments, projections, right)
    if reports:
        with stages.stage(f"writing the audit {' and '.join(map(str, reports))}"):
            files = {"source file": str(source), "translation": str(translation)}
            _write_audit(reports, cases, pair, files, settings)
    _summarise(cases)


def _fit(settings: ProjectionSettings, form: Format, scheme: TagScheme) -> ProjectionSettings:
    """Roles stand on heads, so their windows are one word, unless ``--set`` says otherwise."""
    heads = form is Format.PROPBANK or scheme is TagScheme.OI
    mapping = settings.mapping
    if not heads or mapping.rule is Rule.WORDS or "one_word" in mapping.model_fields_set:
        return settings
    return settings.model_copy(update={"mapping": mapping.model_copy(update={"one_word": True})})


def _audit_paths(path: Path) -> tuple[Path, Path]:
    """Where JSON and page go: beside each other, whichever of the two was named.

    >>> [str(one) for one in _audit_paths(Path("a/es.v2.html"))]
    ['a/es.v2.json', 'a/es.v2.html']
    """
    stem = path.name.removesuffix(".html").removesuffix(".json")
    return path.with_name(f"{stem}.json"), path.with_name(f"{stem}.html")


def _write_audit(
    reports: Sequence[Path],
    cases: Sequence[Case],
    pair: LanguagePair,
    files: Mapping[str, str],
    settings: ProjectionSettings,
) -> None:
    """JSON and page, with what the projection was made from and how."""
    described = describe_settings(settings.aligner, settings.alignment, settings.mapping)
    texts = audit_texts(
        cases, source=pair.source, target=pair.target, settings={**files, **described}
    )
    for path, content in zip(reports, texts, strict=True):
        write_whole(path, content)


def _project(
    corpus: ParallelCorpus, settings: ProjectionSettings, threads: int, stages: Stages
) -> tuple[Sequence[Alignment], Sequence[Projection]]:
    extra = extra_text(settings)
    embed = None
    if settings.compares_words:
        with stages.stage(f"loading the encoder {settings.encoder}"):
            embed = load_word_encoder(settings.encoder, settings.alignment.layer, threads=threads)
    sentences = 2 * len(corpus.pairs)
    with stages.stage(f"aligning {len(corpus.pairs)} pairs ({settings.aligner})") as observe:
        seen = counted(embed, observe, sentences)
        made = make_aligner(settings.aligner, settings.alignment, embed=seen, extra=extra)
        alignments = made.align(corpus)
    with stages.stage(f"mapping labels ({mapping_name(settings.mapping)})") as observe:
        seen = counted(embed, observe, sentences)
        return alignments, project_corpus(corpus, alignments, settings.mapping, seen)


def _summarise(cases: Sequence[Case]) -> None:
    """What was kept and lost, on standard error."""
    measured = measure(cases)
    sentences, spans = measured["sentences"], measured["spans"]
    unusable = ", ".join(f"{n} {why}" for why, n in sentences["unusable_translations"].items())
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(
        f"sentences: {sentences['source']}, {sentences['labelled']} labelled, "
        f"{sentences['lost']} lost{f' (translations: {unusable})' if unusable else ''}"
    )
    console.print(
        f"spans: {spans['source']}, {spans['kept']} kept, {spans['dropped']} dropped "
        f"({100 * spans['drop_rate']:.1f} %)"
    )
    reasons = list(spans["dropped_by_reason"])
    table = Table(box=SIMPLE)
    table.add_column("label")
    for column in ("kept", *reasons):
        table.add_column(column, justify="right")
    for label in measured["labels"]:
        lost = spans["dropped_by_label"].get(label, {})
        counts = [spans["kept_by_label"].get(label, 0), *(lost.get(one, 0) for one in reasons)]
        table.add_row(label, *map(str, counts))
    console.print(table)
    if measured["gold"]:
        for name in ("exact", "overlap"):
            score = measured["gold"][name]
            console.print(
                f"against gold, {name}: precision {score['precision']:.2f}, "
                f"recall {score['recall']:.2f}, F1 {score['f1']:.2f}"
            )
        errors = ", ".join(f"{n} {kind}" for kind, n in measured["gold"]["errors"].items())
        console.print(f"errors: {errors or 'none'}")

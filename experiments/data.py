"""``xlwarm data``: what is in the corpora of a study, beside the paper's sizes."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from experiments.corpus_sizes import DEV, TEST, TRAIN, Comparison, CorpusSize, compare, size_of
from experiments.reports.text import BOXES
from orchestrator.study import Study
from orchestrator.study_data import StudyData
from orchestrator.study_file import read_study
from projection.inputs import Input
from projection.parallel import read_parallel_text, read_translation
from projection.translators import TranslatorSettings

WIDTH = 120


@click.command()
@click.argument("study_file", metavar="STUDY", type=click.Path(path_type=Path))
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting.")
@click.option(
    "--format", "format_name", type=click.Choice(list(BOXES)), default="text", show_default=True
)
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file.")
def data(study_file: Path, overrides: tuple[str, ...], format_name: str, out: Path | None) -> None:
    """Count the corpora of STUDY, and say where and why the paper's have other sizes."""
    text = render(read_study(study_file, overrides), format_name)
    if out:
        out.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)


def render(study: Study, format_name: str) -> str:
    """All tables of :func:`data` as text."""
    sizes = corpus_sizes(study)
    tables = [
        _corpora(study, sizes, format_name),
        _by_corpus("label", {one.name: one.labels for one in sizes}, format_name),
        _by_corpus("left out", {one.name: one.left_out for one in sizes}, format_name),
        _translations(study, format_name),
    ]
    compared = compare(study.task.name, study.task.inputs, sizes)
    lines = io.StringIO()
    console = Console(file=lines, width=WIDTH, color_system=None)
    for table in tables:
        if table.row_count:
            console.print(table)
    if compared:
        table, notes = _beside_the_paper(compared, format_name)
        console.print(table)
        for note in notes:
            console.print(note, soft_wrap=format_name == "markdown", highlight=False, markup=False)
    return lines.getvalue().strip("\n") + "\n"


def corpus_sizes(study: Study) -> list[CorpusSize]:
    """Train and dev of the source language, test of every target.

    Raises:
        InputError: A file cannot be read.
    """
    found, part = StudyData(study), study.data.dev_share is not None
    return [
        size_of(found.train.read(), TRAIN, part=part),
        size_of(found.dev.read(), DEV, part=part),
        *(size_of(found.test(target).read(), TEST) for target in study.targets),
    ]


def _corpora(study: Study, sizes: Sequence[CorpusSize], format_name: str) -> Table:
    has_predicates = Input.PREDICATE in study.task.inputs
    counted = ["predicates", "arguments"] if has_predicates else ["spans"]
    table = _table("corpus", ["blocks", "labelled", "words", *counted], format_name)
    for one in sizes:
        predicates = [one.predicates] if has_predicates else []
        numbers = [one.blocks, one.labelled, one.words, *predicates, one.spans]
        table.add_row(one.name, *map(str, numbers))
    return table


def _by_corpus(what: str, counts: Mapping[str, Mapping[str, int]], format_name: str) -> Table:
    """A row for every key of the counts, a column for every corpus."""
    table = _table(what, list(counts), format_name)
    for key in sorted({key for one in counts.values() for key in one}):
        table.add_row(key, *(str(one.get(key, "-")) for one in counts.values()))
    return table


def _translations(study: Study, format_name: str) -> Table:
    found = StudyData(study)
    train = found.train.read()
    table = _table(
        "translation", ["translated", "untranslated", "words", "more pairs"], format_name
    )
    for target in study.translated:
        made = study.data.translation_of(target)
        extra = [read_parallel_text(one.path, one.encoding) for one in found.parallel_text(target)]
        pairs = str(sum(map(len, extra))) if extra else "-"
        if isinstance(made, TranslatorSettings):
            table.add_row(f"{target}, by {made.translator}", "when run", "-", "-", pairs)
            continue
        file = found.file(made, target)
        read = read_translation(train, file.path, target, encoding=file.encoding)
        words = sum(len(pair.target) for pair in read.pairs)
        table.add_row(target, str(len(read.pairs)), str(len(read.untranslated)), str(words), pairs)
    return table


def _beside_the_paper(compared: Sequence[Comparison], format_name: str) -> tuple[Table, list[str]]:
    """The comparison, and the notes that its last column numbers."""
    notes: dict[str, int] = {}
    table = _table("beside the paper", ["of", "here", "paper", "difference", "note"], format_name)
    for one in compared:
        difference, note = "=", ""
        if one.here != one.paper:
            because = one.because or "UNEXPLAINED: is this the corpus that the paper used?"
            difference = f"{one.here - one.paper:+d}"
            note = f"({notes.setdefault(because, len(notes) + 1)})"
        table.add_row(one.corpus, one.of, str(one.here), str(one.paper), difference, note)
    return table, [f"({number}) {because}" for because, number in notes.items()]


def _table(first: str, others: Sequence[str], format_name: str) -> Table:
    table = Table(box=BOXES[format_name])
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table

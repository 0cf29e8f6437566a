"""``xlwarm score``: exact span scores of one column file against another."""

from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from projection.columns import ColumnFile, read_columns
from projection.errors import InputError
from projection.schemes import TagScheme
from projection.scoring import Scores, SpanScore, score_spans


@click.command()
@click.argument("gold", type=click.Path(path_type=Path))
@click.argument("predicted", type=click.Path(path_type=Path))
@click.option(
    "--scheme",
    type=click.Choice([scheme.value for scheme in TagScheme]),
    help="Tag scheme of both files; found out if left out.",
)
@click.option("--encoding", default="utf-8", show_default=True, help="Of both files.")
def score(gold: Path, predicted: Path, scheme: str | None, encoding: str) -> None:
    """Exact span precision, recall and F1 of PREDICTED against GOLD, both column files.

    Ill-formed tag sequences are read by conlleval's rules.
    """
    both = [
        read_columns(path, "und", scheme=TagScheme(scheme) if scheme else None, encoding=encoding)
        for path in (gold, predicted)
    ]
    _check_same_words(gold, predicted, *both)
    scores = score_spans(*([sentence.spans for sentence in file.corpus.sentences] for file in both))
    _show(scores, both[0])


def _check_same_words(gold: Path, predicted: Path, left: ColumnFile, right: ColumnFile) -> None:
    if len(left.corpus.sentences) != len(right.corpus.sentences):
        raise InputError(
            f"{predicted}: expected {len(left.corpus.sentences)} sentences as in {gold}, "
            f"got {len(right.corpus.sentences)}"
        )
    for number, (one, other) in enumerate(
        zip(left.corpus.sentences, right.corpus.sentences, strict=True), start=1
    ):
        if one.tokens != other.tokens:
            raise InputError(
                f"{predicted}: sentence {number} has the words {' '.join(other.tokens)!r}, "
                f"but {gold} has {' '.join(one.tokens)!r}"
            )


def _show(scores: Scores, gold: ColumnFile) -> None:
    words = sum(len(sentence.tokens) for sentence in gold.corpus.sentences)
    table = Table(box=SIMPLE)
    table.add_column("label")
    for column in ("precision", "recall", "F1", "correct", "gold", "predicted"):
        table.add_column(column, justify="right")
    for label, score in scores.labels.items():
        table.add_row(label, *_numbers(score))
    table.add_section()
    table.add_row("all", *_numbers(scores.micro))
    console = Console()
    console.print(
        f"{len(gold.corpus.sentences)} sentences, {words} words, tags {gold.detected.scheme}"
    )
    console.print(table)


def _numbers(score: SpanScore) -> list[str]:
    percents = (score.precision, score.recall, score.f1)
    counts = (score.correct, score.gold, score.predicted)
    return [f"{value:.2f}" for value in percents] + [str(count) for count in counts]

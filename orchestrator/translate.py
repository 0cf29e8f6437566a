"""``xlwarm translate``: a labelled corpus in another language, one line a block."""

from pathlib import Path
from typing import Any

import click

from orchestrator.output import check_output, write_whole
from orchestrator.projection_options import FILE, checked, language_pair, source_options
from orchestrator.stages import Stages
from orchestrator.steps.translate import MEMORY, load_translator
from projection.corpora import Format, read_corpus
from projection.translators import (
    TranslationError,
    TranslationMemory,
    TranslatorName,
    TranslatorSettings,
)
from projection.translators.blocks import translate_blocks


@click.command()
@source_options
@click.option(
    "--translator",
    type=click.Choice([name.value for name in TranslatorName]),
    required=True,
    help="deepl and google read their keys from the environment.",
)
@click.option("--model", metavar="NAME", help="seq2seq: a Hugging Face id or a local folder.")
@click.option("--via", metavar="LANGUAGE", help="apertium: the language in between.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any setting of the translator, such as beams=1.",
)
@click.option(
    "--memory",
    type=FILE,
    default=Path("store") / MEMORY,
    show_default=True,
    metavar="FILE",
    help="Translation memory; that of the store is shared with studies.",
)
@click.option("--out", type=FILE, required=True, metavar="FILE", help="- for standard output.")
def translate(
    source: Path,
    languages: str,
    form: str,
    encoding: str,
    translator: str,
    model: str | None,
    via: str | None,
    overrides: tuple[str, ...],
    memory: Path,
    out: Path,
) -> None:
    """Translate the sentences of a labelled corpus.

    Line k of the output is the tokenised translation of block k. It is empty for document markers
    and for translations that cannot be used, which are counted on standard error. What the memory
    has is not translated again; an interrupted job goes on where it stopped.
    """
    pair = language_pair(languages)
    given: dict[str, Any] = {"translator": translator, "model": model, "via": via}
    content = {key: value for key, value in given.items() if value is not None}
    settings = checked(TranslatorSettings, content, overrides)
    check_output(out, [source, memory])
    stages = Stages()
    labelled = read_corpus([source], pair.source, Format(form), encoding=encoding)
    wanted = set(labelled.block_of)
    with stages.stage(f"loading the translator {settings.translator}"):
        loaded = load_translator(settings, None)
    try:
        with stages.stage(f"translating {len(wanted)} blocks {pair}") as observe:
            found = translate_blocks(
                labelled.blocks, wanted, loaded, pair, TranslationMemory(memory), observe
            )
    except TranslationError as error:
        raise click.ClickException(
            f"{error}; what was translated before is in {memory}: the same command goes on from it"
        ) from None
    write_whole(out, found.as_text())
    dropped = ", ".join(f"{count} {reason}" for reason, count in sorted(found.dropped.items()))
    lost = f", {found.dropped.total()} of them unusable ({dropped})" if dropped else ""
    click.echo(f"{len(wanted)} blocks translated{lost}", err=True)

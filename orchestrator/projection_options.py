"""Options that the commands on single corpora share: languages, aligners, mappings, translators."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import BaseModel, ValidationError

from orchestrator.data_settings import ProjectionSettings
from orchestrator.study_file import override, problem_in
from projection.aligners.settings import Symmetrization
from projection.corpora import Format
from projection.errors import InputError
from projection.parallel import TextPair, read_parallel_text
from projection.translators import LanguagePair

Command = TypeVar("Command", bound=Callable[..., Any])
Settings = TypeVar("Settings", bound=BaseModel)

FILE = click.Path(path_type=Path)
LANGUAGES = re.compile(r"([a-z]{2,3})-([a-z]{2,3}(?:-[A-Za-z0-9]+)*)")


def source_options(command: Command) -> Command:
    """The labelled source corpus and the languages."""
    for decorate in (
        click.option(
            "--encoding", default="utf-8", show_default=True, help="Of the files that are read."
        ),
        click.option(
            "--format",
            "form",
            type=click.Choice([form.value for form in Format]),
            default=Format.COLUMNS.value,
            show_default=True,
            help="How the source is written.",
        ),
        click.option(
            "--languages",
            required=True,
            metavar="SOURCE-TARGET",
            help="ISO 639-1 codes, such as en-es.",
        ),
        click.option(
            "--source", type=FILE, required=True, metavar="FILE", help="The labelled corpus."
        ),
    ):
        command = decorate(command)
    return command


def aligner_options(command: Command) -> Command:
    """How words are aligned; ``--set`` reaches what has no option of its own."""
    for decorate in (
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="KEY=VALUE",
            help="Any setting, such as alignment.keys=folded.",
        ),
        click.option(
            "--threads",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="CPU threads of the encoder.",
        ),
        click.option(
            "--encoder",
            metavar="NAME",
            help="Backbone whose word vectors are compared [default: "
            f"{ProjectionSettings().encoder}].",
        ),
        click.option(
            "--parallel-text",
            type=FILE,
            multiple=True,
            metavar="FILE",
            help="More 'source ||| target' lines to train a statistical aligner on; repeatable.",
        ),
        click.option(
            "--symmetrize",
            type=click.Choice([how.value for how in Symmetrization]),
            help="How the links of the two directions are combined [default: grow-diag-final-and].",
        ),
        click.option(
            "--aligner",
            default="fast_align",
            show_default=True,
            metavar="NAME",
            help="fast_align, eflomal, hmm, ibm1, embedding, best, systran, program:fast_align, "
            "program:eflomal or pharaoh:PATH.",
        ),
    ):
        command = decorate(command)
    return command


def projection_settings(
    *,
    aligner: str,
    symmetrize: str | None,
    encoder: str | None,
    parallel_text: Sequence[Path],
    overrides: Sequence[str],
    mapping: str = "span-to-span",
) -> ProjectionSettings:
    """What the options say, ``--set`` put over it.

    Raises:
        InputError: Everything that is wrong, a line each.
    """
    content: dict[str, Any] = {"aligner": aligner, "mapping": mapping}
    if symmetrize:
        content["alignment"] = {"symmetrize": symmetrize}
    if encoder:
        content["encoder"] = encoder
    if parallel_text:
        content["parallel_text"] = [str(path) for path in parallel_text]
    return checked(ProjectionSettings, content, overrides)


def checked(
    settings: type[Settings], content: Mapping[str, Any], overrides: Sequence[str]
) -> Settings:
    """``content`` and ``key=value`` overrides as settings.

    Raises:
        InputError: Everything that is wrong, a line each.
    """
    nested = dict(content)
    for one in overrides:
        override(nested, one)
    try:
        return settings.model_validate(nested)
    except ValidationError as errors:
        problems = [problem_in(error, settings) for error in errors.errors()]
        raise InputError("\n".join(problems)) from None


def extra_text(settings: ProjectionSettings) -> list[TextPair]:
    """The pairs of all ``parallel_text``."""
    return [
        pair
        for file in settings.parallel_text
        for path in file.path
        for pair in read_parallel_text(Path(path), file.encoding)
    ]


def language_pair(text: str) -> LanguagePair:
    """``"en-pt-BR"`` as English into Brazilian Portuguese.

    Raises:
        InputError: It is not two different languages.
    """
    found = LANGUAGES.fullmatch(text)
    if not found or found[1] == found[2]:
        raise InputError(
            f"--languages {text}: expected two different languages, such as en-es or en-pt-BR"
        )
    return LanguagePair(found[1], found[2])

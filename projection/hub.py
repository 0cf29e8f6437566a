"""Labelled sentences in Hugging Face datasets: on a hub, or in a folder of this machine.

An optional extra: the library is imported when a dataset is asked for.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, Field, model_validator

from projection.columns import Block, check_tag, labelled_columns
from projection.errors import InputError
from projection.records import Corpus

if TYPE_CHECKING:
    from datasets import Dataset

INSTALL = "install it with `pip install 'xlwarm[hub]'`"


class HubSettings(BaseModel, frozen=True, extra="forbid"):
    """A dataset whose examples are sentences: a list of words and a list of tags with boundaries.

    ``hub``, ``folder``, ``config`` and ``split`` may hold ``{source}`` and ``{language}``.
    """

    hub: str | None = None
    """Its id on the hub, such as ``unimelb-nlp/wikiann``; or else ``folder``."""
    revision: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    """The commit of the hub's repository: branches move, and with them the results."""
    folder: str | None = None
    """What ``save_to_disk`` wrote, or a folder of JSON or Parquet files, under ``data_root``."""
    config: str | None = None
    """Which of the dataset's configurations."""
    split: str | None = None
    """Which of its splits; None where it has none."""
    tokens: str = "tokens"
    """The column of words."""
    tags: str = "ner_tags"
    """The column of tags: class labels with names, or strings."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.hub is None) == (self.folder is None):
            raise ValueError("a dataset needs either hub, its id, or folder, where it is")
        if self.hub is not None and self.revision is None:
            raise ValueError(
                "a dataset on the hub may change any day; name its commit as revision, 40 "
                "hexadecimal digits (`git ls-remote https://huggingface.co/datasets/"
                f"{self.hub} HEAD` prints it)"
            )
        if self.folder is not None and (self.revision or self.config):
            raise ValueError("revision and config are of datasets on the hub, not in a folder")
        return self

    @property
    def name(self) -> str:
        """For messages."""
        more = [f"split {self.split}"] if self.split else []
        place = f"dataset {self.hub} ({self.config})" if self.config else f"dataset {self.hub}"
        return ", ".join([self.folder or place, *more])


def read_dataset_blocks(settings: HubSettings) -> list[Block]:
    """The examples, in order; the first has line 1.

    Raises:
        InputError: The library or the dataset cannot be had, a column is missing or not what it
            should be, an example has not one tag a word.
    """
    dataset = _load(settings)
    words = _column(dataset, settings, settings.tokens)
    tags = _column(dataset, settings, settings.tags)
    names = _names(dataset, settings)
    blocks = []
    for number, (row, marks) in enumerate(zip(words, tags, strict=True), start=1):
        if len(row) != len(marks):
            raise InputError(
                f"{settings.name}: example {number} has {len(row)} words but {len(marks)} tags"
            )
        try:
            blocks.append(Block(number, tuple(row), tuple(names[mark] for mark in marks)))
        except KeyError as error:
            raise InputError(
                f"{settings.name}: example {number} has the tag {error.args[0]!r}, "
                "which has no name"
            ) from None
    return blocks


def corpus_of_blocks(
    settings: HubSettings, blocks: Sequence[Block], language: str, labels: Sequence[str] = ()
) -> Corpus:
    """Labelled sentences of what :func:`read_dataset_blocks` read; examples without words left out.

    Raises:
        InputError: An illegal tag or label, mixed tag schemes.
    """
    for block in blocks:
        for tag in dict.fromkeys(block.tags):
            try:
                check_tag(tag, labels)
            except ValueError as error:
                raise InputError(f"{settings.name}: example {block.line}: {error}") from None
    return labelled_columns(settings.name, blocks, language).corpus


def _load(settings: HubSettings) -> "Dataset":
    try:
        import datasets
    except ImportError:
        raise InputError(
            f"{settings.name}: reading it needs the package datasets; {INSTALL}"
        ) from None
    problems = (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError)
    try:
        found = _found(settings)
    except problems as error:
        first = str(error).split("\n", 1)[0]
        raise InputError(f"{settings.name}: cannot be had ({first})") from None
    if isinstance(found, Mapping):
        if settings.split not in found:
            raise InputError(
                f"{settings.name}: expected one of the splits {', '.join(found)} as split, "
                f"got {settings.split!r}"
            )
        found = found[settings.split]
    elif settings.folder and settings.split not in (None, found.split):
        raise InputError(f"{settings.name}: the dataset has no splits; leave split out")
    return found


def _found(settings: HubSettings) -> Any:
    """A dataset, or one for each split if none was named."""
    from datasets import load_dataset, load_from_disk

    if settings.hub is not None:
        return load_dataset(
            settings.hub, settings.config, split=settings.split, revision=settings.revision
        )
    try:
        return load_from_disk(settings.folder)
    except FileNotFoundError:
        return load_dataset(settings.folder)


def _column(dataset: "Dataset", settings: HubSettings, name: str) -> Sequence[Any]:
    if name not in dataset.column_names:
        raise InputError(
            f"{settings.name}: no column {name!r}; it has {', '.join(dataset.column_names)}"
        )
    column: Sequence[Any] = dataset[name][:]
    return column


class _Strings(dict[str, str]):
    """Tags that are their own names."""

    def __missing__(self, tag: str) -> str:
        return tag


def _names(dataset: "Dataset", settings: HubSettings) -> Mapping[Any, str]:
    """What the values of the tag column stand for."""
    words = getattr(dataset.features[settings.tokens], "feature", None)
    if getattr(words, "dtype", None) != "string":
        raise InputError(
            f"{settings.name}: expected lists of strings in {settings.tokens!r}, "
            f"got {dataset.features[settings.tokens]}"
        )
    tags = getattr(dataset.features[settings.tags], "feature", None)
    if tags is not None and hasattr(tags, "names"):
        return dict(enumerate(tags.names))
    if getattr(tags, "dtype", None) == "string":
        return _Strings()
    raise InputError(
        f"{settings.name}: expected lists of class labels with names, or of strings, in "
        f"{settings.tags!r}, got {dataset.features[settings.tags]}"
    )

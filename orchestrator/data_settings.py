"""The ``data`` block of a study: which files, read how, and how translations get their labels."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from projection.aligners import PHARAOH, AlignmentSettings, needs_encoder, split_aligner
from projection.corpora import Format
from projection.hub import HubSettings
from projection.mapping import PAPER, MappingSettings, mapping_named
from projection.pos_taggers import PosSource
from projection.translators import TranslatorSettings


def _paths(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class FileSettings(BaseModel, frozen=True, extra="forbid"):
    """A data file, or several that are read as one; a bare string means its path."""

    path: Annotated[tuple[str, ...], BeforeValidator(_paths), Field(min_length=1)]
    """Relative to ``data_root``; may hold ``{source}`` and ``{language}``."""
    encoding: str = "utf-8"
    """By its Python name."""
    format: Format | None = None
    """columns, chunks, propbank or semeval; None for the usual one of the task."""
    labelled: bool = False
    """Of a translation: it has labels of its own, which are taken instead of projected ones."""


def _file(value: object) -> object:
    return {"path": value} if isinstance(value, str | list) else value


File = Annotated[FileSettings, BeforeValidator(_file)]


def _place(value: object) -> str:
    """Whether labelled sentences are in files or in a Hugging Face dataset."""
    keys = set(value) if isinstance(value, Mapping) else set()
    dataset = isinstance(value, HubSettings) or keys & {"hub", "folder"}
    return "dataset" if dataset else "file"


Labelled = Annotated[
    Annotated[File, Tag("file")] | Annotated[HubSettings, Tag("dataset")], Discriminator(_place)
]


def _kind(value: object) -> str:
    """Whether a translation is a file or is to be made."""
    made = isinstance(value, TranslatorSettings)
    made = made or (isinstance(value, Mapping) and "translator" in value)
    return "translator" if made else "file"


Translation = Annotated[
    Annotated[File, Tag("file")] | Annotated[TranslatorSettings, Tag("translator")],
    Discriminator(_kind),
]


def _mapping(value: object) -> object:
    """A name, or settings of one's own, perhaps on top of those that a ``name`` stands for."""
    if isinstance(value, str):
        return mapping_named(value)
    if isinstance(value, Mapping) and "name" in value:
        given = dict(value)
        return mapping_named(str(given.pop("name"))).model_dump(exclude_unset=True) | given
    return value


EVERY = "*"
"""Key of a record that stands for every language."""
_RECORD_KEYS = frozenset({"path", "translator", "hub", "folder"})
"""One of them is in every record, and none is a language."""


def _by_language(value: object) -> object:
    """A string or one record stands for every language; a mapping names each language's."""
    if value is None:
        return {}
    if isinstance(value, Mapping) and not _RECORD_KEYS.intersection(value):
        return dict(value)
    return {EVERY: value}


class ProjectionSettings(BaseModel, frozen=True, extra="forbid"):
    """How translations get their labels."""

    aligner: str = "fast_align"
    """fast_align, eflomal, hmm, ibm1, embedding, best, systran, program:fast_align,
    program:eflomal or pharaoh:PATH."""
    alignment: AlignmentSettings = AlignmentSettings()
    encoder: str = "bundled:multilingual-e5-small"
    """The backbone whose word vectors the aligners ``embedding`` and ``best`` compare."""
    parallel_text: tuple[File, ...] = ()
    """Files of ``source ||| target`` lines that statistical aligners are trained on, too."""
    mapping: Annotated[MappingSettings, BeforeValidator(_mapping)] = PAPER
    """span-to-span, word-to-word, best, or settings of one's own."""

    @property
    def links(self) -> str | None:
        """Path of alignments that were made before, or None; in a study with ``{language}``."""
        name, rest = split_aligner(self.aligner)
        return rest if name == PHARAOH else None

    @property
    def compares_words(self) -> bool:
        """True if the alignment or the mapping needs the word vectors of ``encoder``."""
        return needs_encoder(self.aligner, self.alignment) or self.mapping.rescore

    @field_validator("aligner")
    @classmethod
    def _known_aligner(cls, text: str) -> str:
        split_aligner(text)
        return text

    @field_validator("alignment")
    @classmethod
    def _known_second(cls, settings: AlignmentSettings) -> AlignmentSettings:
        if settings.second is not None and split_aligner(settings.second)[0] == PHARAOH:
            raise ValueError("second cannot be a file of links; make that the aligner")
        return settings


class DataSettings(ProjectionSettings):
    """Where the corpora are and how the translations get their labels."""

    train: Labelled
    """Labelled source-language training file or dataset."""
    dev: Labelled | None = None
    """Labelled source-language development file; the only data that selects models."""
    dev_share: float | None = Field(default=None, gt=0, lt=1)
    """Instead of ``dev``: the share of ``train`` that is drawn to be the development set."""
    dev_seed: int = 1
    """Of that draw; the same for every seed of the study."""
    test: Annotated[dict[str, Labelled], BeforeValidator(_by_language)]
    """Labelled test file of every target language."""
    translations: Annotated[dict[str, Translation], BeforeValidator(_by_language)] = Field(
        default_factory=dict
    )
    """Of ``train`` into every target language: a block-parallel file, or a translator. A study of
    one language has none."""
    pos: PosSource = PosSource.PROJECTED
    """POS tags of translations, for a task that has them among its inputs: projected or stanza."""

    def test_of(self, language: str) -> FileSettings | HubSettings:
        """The test file of one language."""
        return self.test.get(language) or self.test[EVERY]

    def translation_of(self, language: str) -> FileSettings | TranslatorSettings:
        """Where the translation into one language comes from."""
        return self.translations.get(language) or self.translations[EVERY]

    @model_validator(mode="after")
    def _one_dev(self) -> "DataSettings":
        if (self.dev is None) == (self.dev_share is None):
            raise ValueError(
                "data needs either dev, a file, or dev_share, the share of train that is drawn"
            )
        if self.dev is not None and "dev_seed" in self.model_fields_set:
            raise ValueError("dev_seed is of dev_share, but data.dev names a file")
        return self

    @model_validator(mode="after")
    def _one_file_where_one_is_meant(self) -> "DataSettings":
        files = [one for one in self.translations.values() if isinstance(one, FileSettings)]
        labelled = [self.train, self.dev, *self.test.values(), *self.parallel_text]
        if any(isinstance(one, FileSettings) and one.labelled for one in labelled):
            raise ValueError("labelled is of translations alone; all other corpora have labels")
        for file in (*files, *self.parallel_text):
            if len(file.path) > 1:
                raise ValueError(f"expected one file, got {', '.join(file.path)}; join them first")
        return self

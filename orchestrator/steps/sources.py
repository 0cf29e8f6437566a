"""What steps read: files known by their content, and the labelled corpora in them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from orchestrator.fingerprints import file_hash, fingerprint, placement
from orchestrator.store import StepStore
from projection.columns import Block
from projection.corpora import Format, Part, join, read_corpus, take
from projection.errors import InputError
from projection.hub import HubSettings, corpus_of_blocks, read_dataset_blocks
from projection.records import Corpus, Sentence
from trainers.backbones import checkpoint_hash, resolve_checkpoint

FILES, CHECKPOINTS = "files", "checkpoints"
"""Where a store keeps what steps read (:mod:`orchestrator.inputs`)."""

CORPORA_AT_HAND = 4
"""Corpora that a process keeps, because several steps read the same."""


@dataclass(frozen=True)
class Kept:
    """An input that a store keeps, written and checked like a step."""

    kind: str
    """:data:`FILES` or :data:`CHECKPOINTS`."""
    fingerprint: str
    """Of the content."""


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """A file known by its content; a moved file is the same file."""

    path: Path = placement()
    encoding: str
    content: str
    """SHA-256 of its bytes."""

    @classmethod
    def at(cls, path: Path, encoding: str = "utf-8") -> "InputFile":
        """The file in ``path`` as it is now."""
        return cls(path=path, encoding=encoding, content=file_hash(path))

    @property
    def name(self) -> str:
        """For messages."""
        return str(self.path)

    def read(self, source: "Source") -> Corpus:
        """The labelled corpus in it."""
        return read_corpus(
            [self.path], source.language, source.form, labels=source.labels, encoding=self.encoding
        )

    def found(self, store: StepStore) -> "InputFile":
        """The same file where this process can read it: in its place, else in ``store``.

        Raises:
            InputError: It is in neither, or what lies in its place is another one by now.
        """
        there = self.path.is_file()
        if there and file_hash(self.path) == self.content:
            return self
        kept = Kept(FILES, self.content)
        if store.is_done(kept):
            (path,) = (store.folder(kept) / name for name in store.record(kept)["artefacts"])
            return replace(self, path=path)
        problem = "has changed since the study was read" if there else "is not on this machine"
        raise InputError(
            f"{self.path} {problem}, and the store {store.location} does not keep it; run the "
            "study again"
        )


@dataclass(frozen=True, kw_only=True)
class InputDataset:
    """A Hugging Face dataset known by its content; hub, revision and folder say where it is."""

    settings: HubSettings = placement()
    content: str
    """SHA-256 of its words and tags."""

    @classmethod
    def at(cls, settings: HubSettings) -> "InputDataset":
        """The dataset as it is now.

        Raises:
            InputError: It cannot be had or read.
        """
        return cls(settings=settings, content=_dataset_hash(read_dataset_blocks(settings)))

    @property
    def name(self) -> str:
        """For messages."""
        return self.settings.name

    def found(self, _store: StepStore) -> "InputDataset":
        """The same; every process reads a dataset where the settings say."""
        return self

    def read(self, source: "Source") -> Corpus:
        """The labelled corpus in it.

        Raises:
            InputError: It is no longer what it was.
        """
        blocks = read_dataset_blocks(self.settings)
        if _dataset_hash(blocks) != self.content:
            raise InputError(
                f"{self.name}: has changed since the study was planned; start it again"
            )
        return corpus_of_blocks(self.settings, blocks, source.language, source.labels)


def _dataset_hash(blocks: Sequence[Block]) -> str:
    return fingerprint([[block.tokens, block.tags] for block in blocks])


@dataclass(frozen=True, kw_only=True)
class Source:
    """A labelled corpus: the files or the dataset, and how they are read."""

    files: tuple[InputFile | InputDataset, ...]
    language: str
    form: Format
    labels: tuple[str, ...]
    """The labels of the task; empty for any."""
    part: Part | None = None
    """Which part of the files it is, where one file is split in two."""

    def read(self, store: StepStore | None = None) -> Corpus:
        """The corpus; files that were read a moment ago are not read again.

        Args:
            store: For files that are not where they were, or not what they were.

        Raises:
            InputError: The first thing that is wrong, with file and line.
        """
        if store is None:
            return _read(self)
        return _read(replace(self, files=tuple(file.found(store) for file in self.files)))

    @property
    def paths(self) -> str:
        """For messages."""
        return ", ".join(file.name for file in self.files)


@lru_cache(maxsize=CORPORA_AT_HAND)
def _read(source: Source) -> Corpus:
    if source.part is not None:
        return take(_read(replace(source, part=None)), source.part)
    return join([file.read(source) for file in source.files])


@dataclass(frozen=True, kw_only=True)
class UnlabelledSource:
    """A corpus as those may know it who must not see its labels: they are no part of its identity.

    Where a format marks targets inside of a word (SemEval's offsets), words are cut there, and
    where those cuts are is seen.
    """

    source: Source = placement()
    content: str
    """SHA-256 of the words and of what else models are given; never of labels."""

    @classmethod
    def of(cls, source: Source) -> "UnlabelledSource":
        """``source`` without its labels."""
        return cls(source=source, content=words_hash(source.read().sentences))

    def read(self, store: StepStore | None = None) -> list[Sentence]:
        """The sentences without their spans."""
        return [replace(sentence, spans=()) for sentence in self.source.read(store).sentences]


def found_checkpoint(name: str, content: str, store: StepStore) -> Path:
    """The folder of the checkpoint ``name`` where this process can read it.

    Args:
        name: As the study calls it.
        content: Hash of its files.
        store: For a local folder that is not on this machine.

    Raises:
        InputError: It cannot be had, or is another one by now.
    """
    kept = Kept(CHECKPOINTS, content)
    if store.is_done(kept):
        return store.folder(kept)
    folder = resolve_checkpoint(name)
    if checkpoint_hash(folder) != content:
        raise InputError(f"{folder} has changed since the study was read; run the study again")
    return folder


def words_hash(sentences: Sequence[Sentence]) -> str:
    """SHA-256 of everything about ``sentences`` but ids and spans."""
    return fingerprint([[one.tokens, one.pos, one.predicate] for one in sentences])

"""Where POS tags of translations come from: projected from the source, or a tagger's own."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

from projection.errors import InputError
from projection.inputs import pos_ids
from projection.records import Sentence

Words = tuple[str, ...]


class PosSource(StrEnum):
    """Who says what part of speech a word of a translation is."""

    PROJECTED = "projected"
    """The source word that it is linked with."""
    STANZA = "stanza"
    """Stanza (Qi et al. 2020), as in the paper (A.2); extra ``stanza``, models from the hub."""


class PosTagger(Protocol):
    """Tags sentences of one language."""

    def tag(self, sentences: Sequence[Words]) -> list[tuple[str, ...]]:
        """One universal POS tag for each word of each of ``sentences``."""


def tagger_version(source: PosSource) -> str:
    """What settles the tags of a tagger: stanza's models belong to its version.

    Raises:
        InputError: It is not installed.
    """
    try:
        return f"{source}-{version(source.value)}"
    except PackageNotFoundError:
        raise _not_installed() from None


def make_tagger(source: PosSource, language: str) -> PosTagger:
    """The tagger, its model loaded.

    Raises:
        InputError: It is not installed, or has no model of ``language``.
        ValueError: ``source`` is no tagger.
    """
    if source is not PosSource.STANZA:
        raise ValueError(f"{source} is no tagger")
    return Stanza(language)


class Stanza:
    """Stanza's tagger on words as they are: it splits nothing.

    Args:
        language: ISO 639-1 code, perhaps with a region, which is not looked at.

    Raises:
        InputError: Stanza is not installed, or its model cannot be had.
    """

    def __init__(self, language: str) -> None:
        try:
            import stanza
        except ImportError:
            raise _not_installed() from None
        code = language.partition("-")[0]
        try:
            self._pipeline: Any = stanza.Pipeline(
                code,
                processors="tokenize,pos",
                tokenize_pretokenized=True,
                download_method=stanza.DownloadMethod.REUSE_RESOURCES,
                logging_level="ERROR",
            )
        except Exception as error:  # of several kinds, its own and those of the network
            raise InputError(
                f"stanza has no model for {code} here, and the hub does not give it "
                f"({type(error).__name__}: {error}). Fetch it where there is a network, with "
                f"python -c 'import stanza; stanza.download(\"{code}\")', or take the tags of the "
                "source: data.pos: projected"
            ) from None

    def tag(self, sentences: Sequence[Words]) -> list[tuple[str, ...]]:
        """One universal POS tag for each word."""
        document = self._pipeline([list(words) for words in sentences])
        return [tuple(word.upos for word in one.words) for one in document.sentences]


def retagged(sentences: Iterable[Sentence], tagger: PosTagger) -> list[Sentence]:
    """``sentences`` with the tags of ``tagger``; equal words are tagged once (in SRL a sentence
    stands there once for each of its predicates).

    Raises:
        ValueError: Not one universal POS tag a word.
    """
    given = list(sentences)
    distinct = list(dict.fromkeys(sentence.tokens for sentence in given))
    found = tagger.tag(distinct)
    for words, tags in zip(distinct, found, strict=True):
        if len(tags) != len(words):
            raise ValueError(f"{len(tags)} POS tags for the {len(words)} words {' '.join(words)!r}")
        pos_ids(tags)
    tags_of = dict(zip(distinct, found, strict=True))
    return [replace(sentence, pos=tags_of[sentence.tokens]) for sentence in given]


def _not_installed() -> InputError:
    return InputError(
        "data.pos is stanza, which is not installed; pip install 'xlwarm[stanza]', or take the "
        "tags of the source: data.pos: projected"
    )

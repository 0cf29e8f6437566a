"""What every translator is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class LanguagePair:
    """From which language into which, as ISO 639-1 codes, with a region where it matters.

    >>> str(LanguagePair("en", "pt-BR"))
    'en-pt-BR'
    """

    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source}-{self.target}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a translator takes at once.

    Args:
        texts: At most so many texts.
        characters: At most so many characters, unless a single text has more.
    """

    texts: int
    characters: int


class TranslationError(RuntimeError):
    """A translator failed, though what it was given is right; trying again later may help."""


class Translator(Protocol):
    """Translates running text, a batch at a time."""

    @property
    def name(self) -> str:
        """What the translation memory files its translations under."""

    @property
    def limits(self) -> Limits:
        """What :meth:`translate` takes at once."""

    def version(self, pair: LanguagePair) -> str:
        """Whatever changes the translations of ``pair``: versions of program, data and settings.

        Raises:
            InputError: It cannot translate the pair, or is not installed.
        """

    def translate(self, texts: Sequence[str], pair: LanguagePair) -> list[str]:
        """One translation for each of ``texts``, in their order.

        Args:
            texts: Lines of running text, none empty.
            pair: The languages.

        Raises:
            InputError: The translator lacks what it needs: a program, a key, a quota.
            TranslationError: It failed.
        """


@runtime_checkable
class Relay(Protocol):
    """A translator that goes over other languages where there is no direct way."""

    def legs(self, pair: LanguagePair) -> Sequence[tuple[Translator, LanguagePair]]:
        """The direct translations that, one after the other, are that of ``pair``.

        Raises:
            InputError: It cannot translate the pair, or is not installed.
        """


def batches(texts: Sequence[str], limits: Limits) -> Iterator[list[str]]:
    """``texts`` in their order, in batches within ``limits``.

    >>> list(batches(["aaa", "bb", "c", "dddd"], Limits(texts=2, characters=5)))
    [['aaa', 'bb'], ['c', 'dddd']]
    """
    batch: list[str] = []
    characters = 0
    for text in texts:
        full = len(batch) == limits.texts or characters + len(text) > limits.characters
        if batch and full:
            yield batch
            batch, characters = [], 0
        batch.append(text)
        characters += len(text)
    if batch:
        yield batch

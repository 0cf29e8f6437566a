"""Text that is to be tagged: its characters, where its words are, and what stands beside them.

This module goes into exported models: of xlwarm it imports only modules that go there, too.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from projection.records import Sentence

_CHUNK = re.compile(r"[^\s'’]+|['’]")
"""What stands between spaces; an apostrophe is a word of its own (Anna ' s, l ' equipo)."""


def split_words(text: str) -> list[tuple[int, int]]:
    """Where the words of ``text`` start and end, in characters; one rule for all languages.

    Words stand between spaces. Punctuation and symbols at their edges are words of their own, each
    character for itself; inside of a word they are part of it (3.5, Anglo-Saxon, U.S.A).
    Languages that are written without spaces should come tokenised.

    >>> text = "«Lima» (Anna's 3.5)!"
    >>> [text[i:j] for i, j in split_words(text)]
    ['«', 'Lima', '»', '(', 'Anna', "'", 's', '3.5', ')', '!']
    """
    return [word for chunk in _CHUNK.finditer(text) for word in _peeled(text, *chunk.span())]


def _peeled(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and _is_mark(text[start]):
        yield start, start + 1
        start += 1
    inner = end
    while start < inner and _is_mark(text[inner - 1]):
        inner -= 1
    if start < inner:
        yield start, inner
    for place in range(inner, end):
        yield place, place + 1


def _is_mark(character: str) -> bool:
    """True for punctuation and symbols."""
    return unicodedata.category(character)[0] in "PS"


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence, or a text of any length, that is tagged as one.

    Args:
        text: As it stands in the file; tokens come with one space between two.
        words: Where each word starts and ends in ``text``; there may be none.
        id: Of the file's own, or None.
        pos: One universal POS tag a word, or None.
        predicate: Index of the predicate's word, or None.
    """

    text: str
    words: tuple[tuple[int, int], ...]
    id: str | None = None
    pos: tuple[str, ...] | None = None
    predicate: int | None = None

    @classmethod
    def of_text(cls, text: str, *, id: str | None = None) -> "Passage":
        """A text whose words are found by :func:`split_words`."""
        return cls(text, tuple(split_words(text)), id)

    @classmethod
    def of_tokens(
        cls,
        tokens: Sequence[str],
        *,
        id: str | None = None,
        pos: Sequence[str] | None = None,
        predicate: int | None = None,
    ) -> "Passage":
        """Words as they are given."""
        places, start = [], 0
        for token in tokens:
            places.append((start, start + len(token)))
            start += len(token) + 1
        tags = tuple(pos) if pos is not None else None
        return cls(" ".join(tokens), tuple(places), id, tags, predicate)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The words themselves."""
        return tuple(self.text[start:end] for start, end in self.words)

    def sentence(self) -> Sentence:
        """What a tagger reads; its language is not known.

        Raises:
            ValueError: There are no words, POS tags are not one a word, or the predicate is none
                of them.
        """
        name = self.id if self.id is not None else "of the input"
        return Sentence(name, "und", self.tokens, pos=self.pos, predicate=self.predicate)

    def characters(self, start: int, end: int) -> tuple[int, int]:
        """Where the words ``[start, end)`` start and end in ``text``."""
        return self.words[start][0], self.words[end - 1][1]

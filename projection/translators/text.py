"""Words to running text before translation, and running text to words after it (sacremoses)."""

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from projection.errors import InputError
from projection.parallel import Words

if TYPE_CHECKING:
    from sacremoses import MosesDetokenizer, MosesTokenizer

WITHOUT_SPACES = frozenset({"zh", "ja", "th", "lo", "km", "my", "bo"})
"""Languages whose words Moses cannot tell apart."""


PENN: Mapping[str, str] = MappingProxyType(
    {"``": '"', "''": '"', "-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]"}
)
"""What the Penn Treebank, and with it most labelled English, writes for quotes and brackets."""
PENN_NOT = "n't"


def to_text(words: Sequence[str], language: str) -> str:
    """``words`` as a person would write them; the tokens of the Penn Treebank are undone.

    >>> to_text(["She", "did", "n't", "go", "to", "Oslo", "-LRB-", "yet", "-RRB-", "!"], "en")
    "She didn't go to Oslo (yet)!"
    """
    plain = [PENN.get(word, word) for word in words]
    text: str = _detokenizer(_base(language)).detokenize(plain)
    return " ".join(text.replace(f" {PENN_NOT}", PENN_NOT).split())


def to_words(text: str, language: str) -> Words:
    """The words of ``text`` by the rules of ``language``; by general ones if Moses has none for it.

    >>> to_words("«L'amico di Anna», disse.", "it")
    ('«', "L'", 'amico', 'di', 'Anna', '»', ',', 'disse', '.')

    Raises:
        InputError: The language is written without spaces.
    """
    return tuple(_tokenizer(_base(language)).tokenize(text, escape=False))


def _base(language: str) -> str:
    base = language.split("-", maxsplit=1)[0].lower()
    if base in WITHOUT_SPACES:
        raise InputError(
            f"{language} is written without spaces, so its translations cannot be split into words "
            "here; translate it yourself and give a file of tokenised lines"
        )
    return base


@cache
def _tokenizer(language: str) -> "MosesTokenizer":
    from sacremoses import MosesTokenizer

    return MosesTokenizer(lang=language)


@cache
def _detokenizer(language: str) -> "MosesDetokenizer":
    from sacremoses import MosesDetokenizer

    return MosesDetokenizer(lang=language)

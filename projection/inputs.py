"""What a model may be given beside the words: parts of speech and the predicate (paper, A.2)."""

from collections.abc import Iterable, Sequence
from enum import StrEnum, auto

from projection.errors import InputError
from projection.records import Sentence


class Input(StrEnum):
    """An input beside the words."""

    POS = auto()
    """One universal part-of-speech tag a word."""
    PREDICATE = auto()
    """Which word is the predicate (SRL)."""


UPOS = (
    "ADJ",
    "ADP",
    "ADV",
    "AUX",
    "CCONJ",
    "DET",
    "INTJ",
    "NOUN",
    "NUM",
    "PART",
    "PRON",
    "PROPN",
    "PUNCT",
    "SCONJ",
    "SYM",
    "VERB",
    "X",
)
"""The universal part-of-speech tags, of Universal Dependencies 2; their order gives their ids."""

UNKNOWN_POS = "X"
"""Universal POS tag of a word about whose part of speech nothing is known."""

_OTHER_NAMES = {"CONJ": "CCONJ", "_": UNKNOWN_POS}
"""Universal Dependencies 1 calls CCONJ so; CoNLL-U writes ``_`` where it says nothing."""

_IDS = {tag: k for k, tag in enumerate(UPOS)}
_IDS |= {name: _IDS[tag] for name, tag in _OTHER_NAMES.items()}


def pos_ids(tags: Sequence[str]) -> list[int]:
    """Position in ``UPOS`` of every tag; ``CONJ`` counts as ``CCONJ`` and ``_`` as ``X``.

    Raises:
        ValueError: A tag is none of these.

    >>> pos_ids(["ADJ", "CONJ", "_"])
    [0, 4, 16]
    """
    try:
        return [_IDS[tag] for tag in tags]
    except KeyError as error:
        raise ValueError(
            f"{error.args[0]!r} is no universal POS tag; expected one of {' '.join(UPOS)}"
        ) from None


def check_inputs(sentences: Iterable[Sentence], inputs: Sequence[Input]) -> None:
    """Refuse a sentence that lacks what ``inputs`` ask for.

    Raises:
        InputError: Names the first such sentence and what it lacks.
    """
    for sentence in sentences:
        if Input.PREDICATE in inputs and sentence.predicate is None:
            raise InputError(f"sentence {sentence.id} has no predicate, but the task asks for one")
        if Input.POS in inputs:
            _check_pos(sentence)


def _check_pos(sentence: Sentence) -> None:
    if sentence.pos is None:
        raise InputError(f"sentence {sentence.id} has no POS tags, but the task asks for them")
    try:
        pos_ids(sentence.pos)
    except ValueError as error:
        raise InputError(f"sentence {sentence.id}: {error}") from None

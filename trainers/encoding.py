"""Sentences as piece ids and tag ids: whole corpora in flat arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from projection.inputs import Input, check_inputs, pos_ids
from projection.records import Sentence, Span
from projection.schemes import TagScheme, decode_strict, encode_tags, tag_set
from trainers.checkpoints import save_arrays
from trainers.reading import WordPieces, word_pieces

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

UNLABELLED = -1
"""Tag id of every word of a corpus whose labels are not to be seen (target-language tests)."""


@dataclass(frozen=True, slots=True)
class TagVocabulary:
    """Tags and their ids, the position in ``tags``; ``O`` has id 0."""

    scheme: TagScheme
    tags: tuple[str, ...]

    @classmethod
    def of(cls, labels: Sequence[str], scheme: TagScheme) -> "TagVocabulary":
        """All tags of ``scheme`` over ``labels``."""
        return cls(scheme, tag_set(labels, scheme))

    def encode(self, spans: Sequence[Span], length: int) -> list[int]:
        """Tag ids of ``length`` words."""
        return [self.tags.index(tag) for tag in encode_tags(spans, length, self.scheme)]

    def decode(self, tag_ids: Sequence[int]) -> list[Span]:
        """Spans of whole, well-formed chunks (seqeval's strict mode)."""
        return decode_strict([self.tags[tag_id] for tag_id in tag_ids], self.scheme)


@dataclass(frozen=True, slots=True)
class EncodedCorpus:
    """A corpus in flat arrays, S sentences.

    Args:
        pieces: Piece ids of all sentences, one after another, special pieces included.
        piece_ends: ``(S,)``, where in ``pieces`` each sentence ends.
        firsts: Position within its sentence of the first piece of every word that was not cut.
        first_ends: ``(S,)``, where in ``firsts`` each sentence ends.
        tags: Tag id of every word, cut ones included, or ``UNLABELLED``.
        tag_ends: ``(S,)``, where in ``tags`` each sentence ends.
        pos: Id of the universal POS tag of every word, parallel to ``tags``, or None.
        predicate: ``(S,)``, the word of each sentence that is its predicate, from 0, or None.
    """

    pieces: NDArray[np.int32]
    piece_ends: NDArray[np.int64]
    firsts: NDArray[np.int32]
    first_ends: NDArray[np.int64]
    tags: NDArray[np.int32]
    tag_ends: NDArray[np.int64]
    pos: NDArray[np.int32] | None = None
    predicate: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.piece_ends)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Pieces of every sentence, ``(S,)``."""
        return np.diff(self.piece_ends, prepend=0)

    @property
    def num_cut_words(self) -> int:
        """Words beyond ``max_pieces``, which the encoder never reads."""
        return int(self.tag_ends[-1] - self.first_ends[-1]) if len(self) else 0

    @property
    def num_cut_predicates(self) -> int:
        """Sentences whose predicate is among the cut words, so that no word carries its flag."""
        if self.predicate is None:
            return 0
        return int((self.predicate >= np.diff(self.first_ends, prepend=0)).sum())

    def tags_of(self, k: int) -> NDArray[np.int32]:
        """Tag ids of sentence ``k``, cut words included."""
        return part(self.tags, self.tag_ends, k)

    def firsts_of(self, k: int) -> NDArray[np.int32]:
        """Where in sentence ``k`` the first piece of each word is that was not cut."""
        return part(self.firsts, self.first_ends, k)

    def only(self, k: int) -> "EncodedCorpus":
        """Sentence ``k`` as a corpus of its own."""
        pieces, firsts, tags = (
            part(self.pieces, self.piece_ends, k),
            self.firsts_of(k),
            self.tags_of(k),
        )
        return EncodedCorpus(
            pieces,
            np.array([len(pieces)], dtype=np.int64),
            firsts,
            np.array([len(firsts)], dtype=np.int64),
            tags,
            np.array([len(tags)], dtype=np.int64),
            None if self.pos is None else part(self.pos, self.tag_ends, k),
            None if self.predicate is None else self.predicate[k : k + 1],
        )

    def save(self, path: Path) -> None:
        """Write the arrays that there are as safetensors."""
        arrays = {name: getattr(self, name) for name in self.__slots__}
        save_arrays(path, {name: array for name, array in arrays.items() if array is not None})

    @classmethod
    def load(cls, path: Path) -> "EncodedCorpus":
        """Read what :meth:`save` wrote."""
        return cls(**load_file(path))

    @classmethod
    def concatenate(cls, corpora: Sequence["EncodedCorpus"]) -> "EncodedCorpus":
        """One corpus with the sentences of all, in order (Eq. 5 and 6: a plain union).

        Raises:
            ValueError: Some have POS tags or predicates and others do not.
        """
        return cls(
            np.concatenate([corpus.pieces for corpus in corpora]),
            _shifted([corpus.piece_ends for corpus in corpora]),
            np.concatenate([corpus.firsts for corpus in corpora]),
            _shifted([corpus.first_ends for corpus in corpora]),
            np.concatenate([corpus.tags for corpus in corpora]),
            _shifted([corpus.tag_ends for corpus in corpora]),
            _joined("POS tags", [corpus.pos for corpus in corpora]),
            _joined("predicates", [corpus.predicate for corpus in corpora]),
        )


def part(values: NDArray[np.int32], ends: NDArray[np.int64], k: int) -> NDArray[np.int32]:
    """The values of sentence ``k`` in an array that holds those of all."""
    return values[ends[k - 1] if k else 0 : ends[k]]


def _shifted(ends: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    before = np.cumsum([0, *(int(one[-1]) for one in ends[:-1])])
    return np.concatenate([one + shift for one, shift in zip(ends, before, strict=True)])


def _joined(what: str, arrays: Sequence[NDArray[np.int32] | None]) -> NDArray[np.int32] | None:
    given = [array for array in arrays if array is not None]
    if len(given) not in (0, len(arrays)):
        raise ValueError(f"{len(given)} of {len(arrays)} corpora have {what}; encode all alike")
    return np.concatenate(given) if given else None


def encode_corpus(
    sentences: Sequence[Sentence],
    tokenizer: "PreTrainedTokenizerBase",
    tags: TagVocabulary | None,
    *,
    max_pieces: int,
    inputs: Sequence[Input] = (),
) -> EncodedCorpus:
    """Encode ``sentences``; a sentence longer than ``max_pieces`` loses its last words.

    Args:
        sentences: At least one.
        tokenizer: Fast, of the encoder.
        tags: None to leave the corpus unlabelled.
        max_pieces: Special pieces included.
        inputs: What is encoded beside the words.

    Raises:
        InputError: A sentence lacks one of ``inputs``.
    """
    check_inputs(sentences, inputs)
    encoded = tokenizer(
        [list(sentence.tokens) for sentence in sentences],
        is_split_into_words=True,
        add_special_tokens=True,
        return_attention_mask=False,
    )
    pieces: list[int] = []
    firsts: list[int] = []
    tag_ids: list[int] = []
    ends: list[tuple[int, int, int]] = []
    for k, sentence in enumerate(sentences):
        ids, word_ids, length = encoded["input_ids"][k], encoded.word_ids(k), len(sentence.tokens)
        read = word_pieces(ids, word_ids, length, tokenizer.unk_token_id or 0)
        one, first = _cut(read, max_pieces)
        pieces += one
        firsts += first
        tag_ids += tags.encode(sentence.spans, length) if tags else [UNLABELLED] * length
        ends.append((len(pieces), len(firsts), len(tag_ids)))
    piece_ends, first_ends, tag_ends = np.array(ends, dtype=np.int64).T.copy()
    return EncodedCorpus(
        np.array(pieces, dtype=np.int32),
        piece_ends,
        np.array(firsts, dtype=np.int32),
        first_ends,
        np.array(tag_ids, dtype=np.int32),
        tag_ends,
        *_beside_words(sentences, inputs),
    )


def _beside_words(
    sentences: Sequence[Sentence], inputs: Sequence[Input]
) -> tuple[NDArray[np.int32] | None, NDArray[np.int32] | None]:
    """POS ids of all words and predicates of all sentences, each None unless asked for."""
    pos = predicate = None
    if Input.POS in inputs:
        ids = [tag for sentence in sentences for tag in pos_ids(sentence.pos or ())]
        pos = np.array(ids, dtype=np.int32)
    if Input.PREDICATE in inputs:
        predicate = np.array([sentence.predicate for sentence in sentences], dtype=np.int32)
    return pos, predicate


def _cut(read: WordPieces, max_pieces: int) -> tuple[list[int], list[int]]:
    """Piece ids, cut at a word boundary, and where the first piece of every kept word is."""
    kept = list(read.before)
    firsts: list[int] = []
    for pieces in read.of_word:
        if len(kept) + len(pieces) + len(read.after) > max_pieces:
            break
        firsts.append(len(kept))
        kept += pieces
    return kept + read.after, firsts

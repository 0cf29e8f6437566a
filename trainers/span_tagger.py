"""Tag sentences of any length with a token-classification model, at the speed of the model.

A word has the tag of its first piece (paper, Eq. 1). This module goes into exported models: of
xlwarm it imports only modules that go there, too.

Shape letters: B excerpts of a batch, P pieces (padded), N words of the batch that are read, L tags.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from projection.inputs import Input, check_inputs, pos_ids
from projection.passages import Passage
from projection.records import Sentence, Span
from projection.schemes import TagScheme, decode_strict, split_tag
from trainers.decoding import Decoder, Decoding
from trainers.reading import (
    PIECES_PER_BATCH,
    Excerpt,
    WordPieces,
    batches_by_length,
    excerpts,
    word_pieces,
)

SENTENCES_AT_ONCE = 1024
"""Passages that are sorted by length together; results come in the order of the input."""

OVERLAP = 0.25
"""Share of an excerpt of a long sentence that may also stand in its neighbour."""

IGNORED = -1
"""POS id of a piece that is not the first of its word."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """A sentence with its predicted spans, and how likely the model held each word's tag."""

    sentence: Sentence
    tags: tuple[str, ...]
    scores: tuple[float, ...]
    """One a word, in (0, 1]."""

    def score(self, span: Span) -> float:
        """Mean over the words of ``span``."""
        return sum(self.scores[span.start : span.end]) / (span.end - span.start)


@dataclass(frozen=True, slots=True)
class _Read:
    """An excerpt of a sentence, in pieces."""

    sentence: int
    excerpt: Excerpt
    ids: list[int]
    firsts: list[int]


class SpanTagger:
    """A model, its tokenizer, and what its configuration says of its tags.

    Args:
        model: Of a folder that ``xlwarm export`` wrote, or one like it: ``config.span_tagging`` has
            ``scheme``, ``inputs``, ``max_pieces`` and perhaps ``decoding``.
        tokenizer: Fast.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        described = model.config.span_tagging
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.scheme = TagScheme(described["scheme"])
        self.inputs = tuple(Input(name) for name in described["inputs"])
        self.max_pieces = int(described["max_pieces"])
        names = model.config.id2label
        self.tags = tuple(names[k] for k in range(len(names)))
        decoding = Decoding(described.get("decoding", Decoding.ARGMAX))
        self._decoder = Decoder(self.tags, self.scheme, decoding)

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the spans that may be found, in the order of the tags."""
        return tuple(dict.fromkeys(label for tag in self.tags if (label := split_tag(tag)[1])))

    def tag_passages(self, passages: Iterable[Passage]) -> Iterator[tuple[Passage, Tagged | None]]:
        """Every passage in order, with what :meth:`tag` says of it; None if it has no words."""
        waiting = iter(passages)
        while group := list(islice(waiting, SENTENCES_AT_ONCE)):
            tagged = iter(self.tag([one.sentence() for one in group if one.words]))
            yield from ((one, next(tagged) if one.words else None) for one in group)

    def tag(self, sentences: Sequence[Sentence]) -> list[Tagged]:
        """Every sentence with the spans that are predicted, in order; whatever spans it had go.

        Raises:
            InputError: A sentence lacks what the model is given beside the words.
            FloatingPointError: A score is not finite; its argmax would look like a prediction.
        """
        check_inputs(sentences, self.inputs)
        if not sentences:
            return []
        read = self._read(sentences)
        ends = np.cumsum([len(one.tokens) for one in sentences])
        scores_NL = np.zeros((ends[-1], len(self.tags)), dtype=np.float32)
        scores = np.split(scores_NL, ends[:-1])
        lengths = np.array([len(one.ids) for one in read], dtype=np.int64)
        for which in batches_by_length(lengths, PIECES_PER_BATCH):
            batch = [read[k] for k in which]
            found = self._scores(batch, sentences)
            done = 0
            for one in batch:
                kept = slice(one.excerpt.first, one.excerpt.last)
                skipped = done + one.excerpt.first - one.excerpt.start
                here = slice(skipped, skipped + one.excerpt.last - one.excerpt.first)
                scores[one.sentence][kept] = found[here]
                done += len(one.firsts)
        tags_N = self._decoder(scores_NL, np.diff(ends, prepend=0))
        chosen = zip(np.split(tags_N, ends[:-1]), _likely(scores_NL, tags_N, ends), strict=True)
        return [self._tagged(one, *each) for one, each in zip(sentences, chosen, strict=True)]

    def _tagged(
        self, sentence: Sentence, ids: NDArray[np.int64], scores: NDArray[np.float32]
    ) -> Tagged:
        tags = tuple(self.tags[k] for k in ids.tolist())
        spans = tuple(decode_strict(tags, self.scheme)) if ids.any() else ()
        return Tagged(replace(sentence, spans=spans), tags, tuple(scores.tolist()))

    def _read(self, sentences: Sequence[Sentence]) -> list[_Read]:
        encoded = self.tokenizer(
            [list(sentence.tokens) for sentence in sentences],
            is_split_into_words=True,
            add_special_tokens=True,
            return_attention_mask=False,
            return_token_type_ids=False,
            truncation=False,
            verbose=False,
        )
        unknown = self.tokenizer.unk_token_id or 0
        read: list[_Read] = []
        for k, sentence in enumerate(sentences):
            ids, of_word = encoded["input_ids"][k], encoded.word_ids(k)
            pieces = word_pieces(ids, of_word, len(sentence.tokens), unknown)
            room = self.max_pieces - len(pieces.before) - len(pieces.after)
            cover = excerpts([len(word) for word in pieces.of_word], room, int(OVERLAP * room))
            read += [_excerpt(k, pieces, each, room) for each in cover]
        return read

    def _scores(self, batch: Sequence[_Read], sentences: Sequence[Sentence]) -> NDArray[np.float32]:
        """Scores before the softmax of every word that is read, ``(N, L)``."""
        width = max(len(one.ids) for one in batch)
        ids_BP = np.full((len(batch), width), self.model.config.pad_token_id or 0, dtype=np.int64)
        for b, one in enumerate(batch):
            ids_BP[b, : len(one.ids)] = one.ids
        lengths = np.array([len(one.ids) for one in batch])
        mask_BP = (np.arange(width) < lengths[:, None]).astype(np.int64)
        first_N = np.concatenate([b * width + np.array(one.firsts) for b, one in enumerate(batch)])
        beside = _beside_words(batch, sentences, self.inputs, ids_BP.shape)
        arrays = {"input_ids": ids_BP, "attention_mask": mask_BP, **beside}
        device = self.model.device
        tensors = {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
        with torch.inference_mode():
            scores_BPL: Tensor = self.model(**tensors).logits
            scores_NL = scores_BPL.flatten(0, 1)[torch.from_numpy(first_N).to(device)].float()
            if not torch.isfinite(scores_NL).all():
                raise FloatingPointError("a tag score is no number; the model is broken")
            found: NDArray[np.float32] = scores_NL.cpu().numpy()
        return found


def _likely(
    scores_NL: NDArray[np.float32], tags_N: NDArray[np.int64], ends: NDArray[np.int64]
) -> list[NDArray[np.float32]]:
    """Probability of every word's tag, sentence by sentence."""
    raised_NL = np.exp(scores_NL - scores_NL.max(axis=1, keepdims=True))
    chosen_N = np.take_along_axis(raised_NL, tags_N[:, None], axis=1)[:, 0]
    likely_N: NDArray[np.float32] = chosen_N / raised_NL.sum(axis=1)
    return np.split(likely_N, ends[:-1])


def _excerpt(sentence: int, pieces: WordPieces, excerpt: Excerpt, room: int) -> _Read:
    ids, firsts = list(pieces.before), []
    for word in pieces.of_word[excerpt.start : excerpt.end]:
        firsts.append(len(ids))
        ids += word[:room]
    return _Read(sentence, excerpt, ids + pieces.after, firsts)


def _beside_words(
    batch: Sequence[_Read],
    sentences: Sequence[Sentence],
    inputs: Sequence[Input],
    shape: tuple[int, ...],
) -> dict[str, NDArray[Any]]:
    """``pos_ids``, ``(B, P)``, and ``predicate_mask``, ``(B, P)`` with 1 at the predicate's first
    piece, as far as the model is given them."""
    arrays: dict[str, NDArray[Any]] = {}
    if Input.POS in inputs:
        arrays["pos_ids"] = np.full(shape, IGNORED, dtype=np.int64)
    if Input.PREDICATE in inputs:
        arrays["predicate_mask"] = np.zeros(shape, dtype=np.float32)
    for b, one in enumerate(batch if arrays else ()):
        sentence, (start, end) = sentences[one.sentence], (one.excerpt.start, one.excerpt.end)
        if "pos_ids" in arrays:
            arrays["pos_ids"][b, one.firsts] = pos_ids(sentence.pos or ())[start:end]
        predicate = sentence.predicate
        if "predicate_mask" in arrays and predicate is not None and start <= predicate < end:
            arrays["predicate_mask"][b, one.firsts[predicate - start]] = 1
    return arrays

"""The pipeline that exported models name as their own: whole words in, the tagger's spans out.

The pipeline of transformers tags every piece of a word for itself; a tagger that was trained on
first pieces (paper, Eq. 1) has nothing to say of the others. This module goes into exported models:
of xlwarm it imports only modules that go there, too.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from transformers import Pipeline

from projection.passages import Passage
from projection.schemes import OUTSIDE
from trainers.span_tagger import SpanTagger, Tagged

SIMPLE, NONE = "simple", "none"

Found = dict[str, Any]
"""A span, or a word that has a tag."""


class SpanPipeline(Pipeline):
    """``pipeline("token-classification", model=FOLDER, trust_remote_code=True)``.

    Reads a text, or a list of words, or ``{"tokens": [...], "pos": [...], "predicate": 3}`` where
    the model is given more than words; or an iterable of such. With ``aggregation_strategy``
    ``"simple"`` (the default here) it gives one dictionary a span, with ``"none"`` one a word that
    has a tag, keys and meanings as in transformers' own pipeline, and ``words``, the words
    ``[first, last + 1)`` of the span.
    """

    _load_tokenizer = True  # type: ignore[assignment]

    def __call__(self, inputs: Any, *_: Any, **kwargs: Any) -> Any:
        """Spans of a text, or a list with those of every text."""
        forward = {**self._forward_params, **self._sanitize_parameters(**kwargs)[1]}
        tagger = SpanTagger(self.model, self.tokenizer)
        single = isinstance(inputs, str | Mapping) or _is_words(inputs, **forward)
        found = _tag(tagger, [inputs] if single else inputs, forward["aggregation_strategy"])
        return next(found) if single else list(found)

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict[str, Any], ...]:
        strategy = getattr(kwargs.get("aggregation_strategy", SIMPLE), "value", None)
        strategy = strategy or kwargs.get("aggregation_strategy") or SIMPLE
        if strategy not in (SIMPLE, NONE):
            raise ValueError(
                f"unknown aggregation_strategy {strategy!r}; a word has the tag of its first "
                f"piece, so there is only {SIMPLE!r} (spans) and {NONE!r} (words)"
            )
        split = bool(kwargs.get("is_split_into_words", False))
        return {}, {"aggregation_strategy": strategy, "is_split_into_words": split}, {}

    def preprocess(self, *_: Any, **__: Any) -> Any:
        """Not used: :meth:`__call__` tags all texts together."""
        raise NotImplementedError

    _forward = postprocess = preprocess


def _is_words(inputs: Any, *, is_split_into_words: bool, **_: Any) -> bool:
    return is_split_into_words and isinstance(inputs, list) and isinstance(inputs[0], str)


def _tag(
    tagger: SpanTagger, inputs: Iterable[Any], strategy: str
) -> Iterator[list[dict[str, Any]]]:
    show = _spans if strategy == SIMPLE else _tags
    for passage, tagged in tagger.tag_passages(_passage(one) for one in inputs):
        yield show(passage, tagged) if tagged else []


def _passage(one: Any) -> Passage:
    if isinstance(one, str):
        return Passage.of_text(one)
    if isinstance(one, Mapping) and "text" in one:
        return Passage.of_text(one["text"])
    given = one if isinstance(one, Mapping) else {"tokens": one}
    return Passage.of_tokens(
        given["tokens"], pos=given.get("pos"), predicate=given.get("predicate")
    )


def _spans(passage: Passage, tagged: Tagged) -> list[Found]:
    found = []
    for span in tagged.sentence.spans:
        start, end = passage.characters(span.start, span.end)
        found.append(
            {
                "entity_group": span.label,
                "score": tagged.score(span),
                "word": passage.text[start:end],
                "start": start,
                "end": end,
                "words": (span.start, span.end),
            }
        )
    return found


def _tags(passage: Passage, tagged: Tagged) -> list[Found]:
    return [
        {
            "entity": tag,
            "score": tagged.scores[k],
            "index": k,
            "word": passage.text[start:end],
            "start": start,
            "end": end,
        }
        for k, (tag, (start, end)) in enumerate(zip(tagged.tags, passage.words, strict=True))
        if tag != OUTSIDE
    ]

"""The spans of a whole corpus as columns of numbers, for what is counted over many predictions.

A report reads hundreds of prediction files of thousands of sentences each; as
:class:`~projection.records.Span` objects they would take minutes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from projection.columns import read_bytes
from projection.errors import InputError
from projection.records import Sentence

Ints = NDArray[np.int64]

_END, _OUTSIDE = b"", b"O"


@dataclass(frozen=True, slots=True)
class SpanArrays:
    """Spans in the order of their sentences, sorted and disjoint within each.

    Args:
        sentence: Of every span its sentence, from 0, ``(S,)``.
        start: Its first word, counted in the sentence, ``(S,)``.
        end: The word after its last, ``(S,)``.
        label: Its number in the list of labels that the caller keeps, ``(S,)``.
        lengths: Words of every sentence, ``(N,)``.
    """

    sentence: Ints
    start: Ints
    end: Ints
    label: Ints
    lengths: Ints

    def __len__(self) -> int:
        return len(self.label)

    @property
    def first_words(self) -> Ints:
        """Of every span its first word, counted through the corpus, ``(S,)``."""
        before: Ints = np.cumsum(self.lengths) - self.lengths
        return before[self.sentence] + self.start

    def owners(self) -> Ints:
        """Of every word of the corpus the span it lies in, or -1."""
        owners = np.full(int(self.lengths.sum()), -1, dtype=np.int64)
        widths = self.end - self.start
        within = np.arange(int(widths.sum())) - np.repeat(np.cumsum(widths) - widths, widths)
        owners[np.repeat(self.first_words, widths) + within] = np.repeat(
            np.arange(len(self)), widths
        )
        return owners


def arrays_of(sentences: Iterable[Sentence], labels: Sequence[str]) -> SpanArrays:
    """The spans of ``sentences``.

    Raises:
        KeyError: A label is not among ``labels``.
    """
    number = {label: k for k, label in enumerate(labels)}
    every = list(sentences)
    rows = [
        (k, span.start, span.end, number[span.label])
        for k, sentence in enumerate(every)
        for span in sentence.spans
    ]
    sentence, start, end, label = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    lengths = np.array([len(sentence.tokens) for sentence in every], dtype=np.int64)
    return SpanArrays(sentence, start, end, label, lengths)


def read_span_arrays(path: Path, labels: Sequence[str]) -> SpanArrays:
    """The spans of a column file as :func:`~projection.columns.write_columns` writes it in IOB2.

    It is read by its last column alone and much faster than any other column file, because what
    others may look like need not be considered.

    Raises:
        InputError: It is no such file: a tag is neither O nor B- or I- with one of ``labels``, or
            an I- continues nothing.
    """
    tags = [row.rpartition(b"\t")[2] for row in read_bytes(path).split(b"\n")[:-1]]
    known = {_END: 0, _OUTSIDE: 1}
    for label in labels:
        known |= {f"B-{label}".encode(): len(known), f"I-{label}".encode(): len(known) + 1}
    try:
        codes = np.fromiter(map(known.__getitem__, tags), dtype=np.int64, count=len(tags))
    except KeyError as error:
        raise InputError(
            f"{path}: {error.args[0].decode(errors='replace')!r} is no tag of "
            f"{' '.join(labels)} in IOB2"
        ) from None
    begins, inside = (codes >= 2) & (codes % 2 == 0), (codes >= 2) & (codes % 2 == 1)
    starts, ends = _bounds(begins, inside)
    if int((ends - starts - 1).sum()) != int(inside.sum()):
        raise InputError(f"{path}: a tag I- continues nothing")
    breaks = np.flatnonzero(codes == 0)
    first = np.concatenate([[0], breaks[:-1] + 1]).astype(np.int64)
    sentence = np.searchsorted(breaks, starts)
    return SpanArrays(
        sentence,
        starts - first[sentence],
        ends - first[sentence],
        codes[starts] // 2 - 1,
        breaks - first,
    )


def _bounds(begins: NDArray[np.bool_], inside: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Rows where spans start, and the first rows after each that do not continue it."""
    starts = np.flatnonzero(begins)
    stops = np.append(np.flatnonzero(~inside), len(inside))
    return starts, stops[np.searchsorted(stops, starts, side="right")]

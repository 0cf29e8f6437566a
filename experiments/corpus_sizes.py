"""How large corpora are, beside the paper's Tables 7, 8 and 9, and why they differ."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import yaml

from projection.inputs import Input
from projection.records import Corpus

TRAIN, DEV, TEST = "train", "dev", "test"


@dataclass(frozen=True, slots=True)
class CorpusSize:
    """What is in a corpus, or in the part of it that is trained on.

    Args:
        language: ISO 639-1 code.
        split: train, dev or test.
        blocks: Sentences of the files, labelled or not; of a part, those that it has.
        labelled: Labelled sentences, a sentence with several predicates once.
        words: Of the labelled sentences.
        predicates: Sentences with several predicates once for each (SRL); else ``labelled``.
        labels: Spans by label.
        left_out: What of the files became no sentence or span, by reason; of a file that is split,
            all stands with train.
    """

    language: str
    split: str
    blocks: int
    labelled: int
    words: int
    predicates: int
    labels: Mapping[str, int]
    left_out: Mapping[str, int]

    @property
    def name(self) -> str:
        """``train en``."""
        return f"{self.split} {self.language}"

    @property
    def spans(self) -> int:
        """Of all labels."""
        return sum(self.labels.values())


def size_of(corpus: Corpus, split: str, *, part: bool = False) -> CorpusSize:
    """Count ``corpus``.

    Args:
        corpus: Whole files, or a part of one.
        split: What it is for.
        part: True for a part: the unlabelled blocks of the file belong to none.
    """
    labelled = set(corpus.block_of)
    return CorpusSize(
        language=corpus.language,
        split=split,
        blocks=len(labelled) if part else len(corpus.blocks),
        labelled=len(labelled),
        words=sum(len(corpus.blocks[block]) for block in labelled),
        predicates=len(corpus.sentences),
        labels=Counter(span.label for one in corpus.sentences for span in one.spans),
        left_out={} if part and split == DEV else corpus.left_out,
    )


@dataclass(frozen=True, slots=True)
class PaperTable:
    """A table of corpus sizes, and what it counts beside sentences."""

    key: str
    counts: str
    has_dev: bool = True
    """False: its training set is before 20 % of it become the development set (A.2)."""


TABLES: Mapping[str, PaperTable] = MappingProxyType(
    {
        "ner": PaperTable("table7", "entities"),
        "absa": PaperTable("table8", "aspects", has_dev=False),
        "srl": PaperTable("table9", "predicates"),
    }
)
"""By task."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One number here and in the paper.

    Args:
        corpus: Language and split, such as ``es.dev``.
        of: sentences, entities, aspects or predicates.
        here: Counted.
        paper: Printed.
        because: Why they differ; None where they agree, or where nobody knows.
    """

    corpus: str
    of: str
    here: int
    paper: int
    because: str | None = None

    @property
    def unexplained(self) -> bool:
        """True where the numbers differ and no reason is known."""
        return self.here != self.paper and self.because is None


def compare(task: str, inputs: Sequence[Input], sizes: Iterable[CorpusSize]) -> list[Comparison]:
    """The sizes of corpora beside those that the paper gives for the task, language and split.

    Args:
        task: By its name; one that the paper has not is compared with nothing.
        inputs: Of the task: with a predicate, sentences count whether they have one or not.
        sizes: Of the study's corpora; languages that the paper has not are passed over.
    """
    if task not in TABLES:
        return []
    table, found = TABLES[task], list(sizes)
    printed = read_paper("numbers.yaml")[table.key]
    compared = []
    for language in dict.fromkeys(one.language for one in found):
        for split, numbers in printed.get(language, {}).items():
            splits = (TRAIN, DEV) if split == TRAIN and not table.has_dev else (split,)
            ours = [one for one in found if one.language == language and one.split in splits]
            if ours:
                here = _counts(ours, Input.PREDICATE in inputs)
                for of, count, number in zip(
                    ("sentences", table.counts), here, numbers, strict=True
                ):
                    corpus = f"{language}.{split}"
                    because = _reason(table.key, of, corpus, count) if count != number else None
                    compared.append(Comparison(corpus, of, count, number, because))
    return compared


def _counts(sizes: Sequence[CorpusSize], has_predicates: bool) -> tuple[int, int]:
    """Sentences, and what the paper's table counts beside them."""
    if has_predicates:
        return sum(one.blocks for one in sizes), sum(one.predicates for one in sizes)
    return sum(one.labelled for one in sizes), sum(one.spans for one in sizes)


def _reason(table: str, of: str, corpus: str, here: int) -> str | None:
    for known in read_paper("differences.yaml"):
        if (known["table"], known["of"]) == (table, of) and known["here"].get(corpus) == here:
            return str(known["because"])
    return None


@cache
def read_paper(name: str) -> Any:
    """What a YAML file beside the paper's studies holds."""
    return yaml.safe_load((files("experiments") / "paper" / name).read_text(encoding="utf-8"))

"""The tasks, one row each (paper §6.1 and §6.2); code elsewhere never asks which task it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from projection.corpora import Format
from projection.errors import InputError
from projection.inputs import Input
from projection.records import Sentence
from projection.schemes import TagScheme


@dataclass(frozen=True, slots=True)
class Task:
    """What is tagged and how.

    Args:
        name: As studies name it.
        scheme: Tags that the model predicts.
        labels: In the order of the tag set, or empty where the source corpus decides.
        inputs: What the model is given beside the words.
        form: How its public corpora are written; a study may say otherwise for any file.
    """

    name: str
    scheme: TagScheme
    labels: tuple[str, ...]
    inputs: tuple[Input, ...] = ()
    form: Format = Format.COLUMNS

    def labels_in(self, training: Iterable[Sentence]) -> tuple[str, ...]:
        """The task's labels, or those of the source ``training`` corpus, sorted.

        Raises:
            InputError: The corpus is to decide, but labels nothing.
        """
        labels = self.labels or tuple(sorted({s.label for one in training for s in one.spans}))
        if not labels:
            raise InputError(
                f"the training corpus labels nothing, so it cannot decide the labels of {self.name}"
            )
        return labels


TASKS: Mapping[str, Task] = MappingProxyType(
    {
        task.name: task
        for task in (
            Task("ner", TagScheme.BIOES, ("PER", "LOC", "ORG", "MISC")),
            Task("absa", TagScheme.BIOES, ("POS", "NEG", "NEU"), form=Format.SEMEVAL),
            Task("srl", TagScheme.OI, (), (Input.POS, Input.PREDICATE), Format.PROPBANK),
        )
    }
)

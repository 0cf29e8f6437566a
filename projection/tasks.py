"""The tasks, one row each (paper §6.1 and §6.2); code elsewhere never asks which task it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from projection.schemes import TagScheme


@dataclass(frozen=True, slots=True)
class Task:
    """What is tagged and how.

    Args:
        name: As studies name it.
        scheme: Tags that the model predicts.
        labels: In the order of the tag set, or empty where the source corpus decides.
    """

    name: str
    scheme: TagScheme
    labels: tuple[str, ...]


TASKS: Mapping[str, Task] = MappingProxyType(
    {
        task.name: task
        for task in (
            Task("ner", TagScheme.BIOES, ("PER", "LOC", "ORG", "MISC")),
            Task("absa", TagScheme.BIOES, ("POS", "NEG", "NEU")),
        )
    }
)

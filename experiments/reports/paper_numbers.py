"""The paper's own F1 for what a study does, where its test sets are the paper's."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from experiments.corpus_sizes import read_paper
from trainers.strategies import MONOLINGUAL

BACKBONES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "mbert": ("bert-base-multilingual-cased", "mBERT"),
        "xlmr": ("xlm-roberta-base", "XLM-R"),
    }
)
"""Of the paper's tables: model id (note 6 of the paper) and name."""

SCORES = MappingProxyType({"ner": "table1", "srl": "table2", "absa": "table3"})
SIZES = MappingProxyType({"ner": ("table7", 0), "srl": ("table9", 1), "absa": ("table8", 0)})
"""By task: the table of corpus sizes, and which of its two numbers counts sentences as they are
tested (SRL: one a predicate)."""

SAME_SIZE = 0.05
"""Test sets whose sizes differ by no larger share are taken for the same: known differences in how
sentences are counted (``experiments/paper/differences.yaml``) are smaller."""


@dataclass(frozen=True, slots=True)
class PaperScores:
    """One half of a table of the paper.

    Args:
        name: Of the encoder, as the paper calls it.
        same_encoder: True if the study has it too.
        rows: F1 in percent by strategy, then by language and ``avg``.
    """

    name: str
    same_encoder: bool
    rows: Mapping[str, Mapping[str, float]]


def paper_scores(task: str, backbone: str, sizes: Mapping[str, int]) -> list[PaperScores]:
    """The paper's scores on the test sets of a study, those of its own encoder alone if it is one
    of the paper's.

    Args:
        task: By its name.
        backbone: Of the study.
        sizes: Sentences of the test sets that were tested, by language.

    Returns:
        Nothing unless at least one test set has the size of the paper's; languages of other test
        sets are left out, and the average unless all of the paper's languages are there.
    """
    if task not in SCORES:
        return []
    languages = [one for one, size in sizes.items() if _is_the_papers(task, one, size)]
    if not languages:
        return []
    table = read_paper("numbers.yaml")[SCORES[task]]
    return [
        PaperScores(
            BACKBONES[key][1],
            same,
            {name: _of(row, languages) for name, row in table[key].items()},
        )
        for key, same in _encoders(backbone)
    ]


def monolingual_scores(task: str, backbone: str, sizes: Mapping[str, int]) -> list[PaperScores]:
    """The same of the paper's Table 4, for a study of one language."""
    table = read_paper("numbers.yaml")["table4"]
    columns = {
        language: f"{task}-{language}"
        for language, size in sizes.items()
        if task in SIZES and _is_the_papers(task, language, size)
    }
    found = {one: column for one, column in columns.items() if column in table["delta"]}
    return [
        PaperScores(
            BACKBONES[key][1],
            same,
            {MONOLINGUAL: {one: table[key][column] for one, column in found.items()}},
        )
        for key, same in _encoders(backbone)
        if found
    ]


def _encoders(backbone: str) -> list[tuple[str, bool]]:
    """Keys of the paper's encoders, and whether the study has that one: it alone, if so."""
    same = [(key, True) for key, (model, _) in BACKBONES.items() if model == backbone]
    return same or [(key, False) for key in BACKBONES]


def _of(row: Mapping[str, float], languages: list[str]) -> dict[str, float]:
    whole = set(row) - {"avg"} == set(languages)
    return {one: row[one] for one in (*languages, "avg") if one != "avg" or whole}


def _is_the_papers(task: str, language: str, size: int) -> bool:
    table, which = SIZES[task]
    printed = read_paper("numbers.yaml")[table].get(language, {}).get("test")
    return printed is not None and abs(size - printed[which]) <= SAME_SIZE * printed[which]

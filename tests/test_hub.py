"""Hugging Face datasets as corpora: read like column files, known by their content."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

from orchestrator.fingerprints import fingerprint
from orchestrator.plan import make_plan
from orchestrator.steps.sources import InputDataset, Source
from orchestrator.study_file import read_study
from projection.columns import read_columns
from projection.corpora import Format
from projection.errors import InputError
from projection.hub import HubSettings, corpus_of_blocks, read_dataset_blocks
from projection.records import Corpus
from tests.studies import write_study

WORDS = [["Anna", "Berg", "sings"], [], ["in", "Oslo"]]
TAGS = [["B-PER", "I-PER", "O"], [], ["O", "B-LOC"]]
NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def dataset(words: Any = WORDS, tags: Any = TAGS, names: list[str] | None = NAMES) -> Dataset:
    label = ClassLabel(names=names) if names else Value("string")
    features = Features({"tokens": List(Value("string")), "ner_tags": List(label)})
    values = [[names.index(tag) for tag in row] for row in tags] if names else tags
    return Dataset.from_dict({"tokens": words, "ner_tags": values}, features=features)


def read(folder: Path, **settings: Any) -> Corpus:
    place = HubSettings(folder=str(folder), **settings)
    return corpus_of_blocks(place, read_dataset_blocks(place), "en", ("PER", "LOC"))


def saved(folder: Path, what: Dataset | DatasetDict) -> Path:
    what.save_to_disk(folder)
    return folder


def test_a_dataset_gives_the_sentences_of_the_same_column_file(tmp_path: Path) -> None:
    rows = "Anna B-PER\nBerg I-PER\nsings O\n\nin O\nOslo B-LOC\n"
    (tmp_path / "same.conll").write_text(rows)
    expected = read_columns(tmp_path / "same.conll", "en").corpus.sentences
    corpus = read(saved(tmp_path / "saved", dataset()))
    assert [(s.tokens, s.spans) for s in corpus.sentences] == [
        (s.tokens, s.spans) for s in expected
    ]


def test_an_example_without_words_is_a_block_without_a_sentence(tmp_path: Path) -> None:
    corpus = read(saved(tmp_path / "saved", dataset()))
    assert [one.id for one in corpus.sentences] == ["en-0", "en-2"]
    assert corpus.blocks[1] == ()
    assert corpus.left_out == {"blocks without words": 1}


def test_tags_may_be_strings_and_files_json(tmp_path: Path) -> None:
    folder = tmp_path / "json"
    folder.mkdir()
    with (folder / "train.jsonl").open("w") as out:
        for words, tags in zip(WORDS, TAGS, strict=True):
            out.write(json.dumps({"text": words, "tags": tags}) + "\n")
    strings = read(folder, split="train", tokens="text", tags="tags")
    assert strings == read(saved(tmp_path / "saved", dataset()))


def test_a_split_is_chosen_by_name(tmp_path: Path) -> None:
    both = DatasetDict(train=dataset(), test=dataset(WORDS[2:], TAGS[2:]))
    folder = saved(tmp_path / "both", both)
    assert len(read(folder, split="test").sentences) == 1
    with pytest.raises(InputError, match=r"both: expected one of the splits train, test .*None"):
        read(folder)
    with pytest.raises(InputError, match=r"both, split dev: expected one of the splits"):
        read(folder, split="dev")
    with pytest.raises(InputError, match="has no splits; leave split out"):
        read(saved(tmp_path / "one", dataset()), split="test")


def test_the_library_is_not_imported_until_a_dataset_is_read() -> None:
    code = "import sys, projection.hub; print({'datasets', 'torch'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "set()\n"


FAULTS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no such column": (dataset(), {"tags": "tags"}, "no column 'tags'; it has tokens, ner_tags"),
    "numbers without names": (
        Dataset.from_dict({"tokens": WORDS, "ner_tags": [[1, 2, 0], [], [0, 3]]}),
        {},
        r"expected lists of class labels with names, or of strings, in 'ner_tags', got List\(Value",
    ),
    "no lists": (
        Dataset.from_dict({"tokens": ["Anna"], "ner_tags": ["B-PER"]}),
        {},
        "expected lists of strings in 'tokens', got Value",
    ),
    "other lengths": (
        dataset(WORDS, [*TAGS[:2], ["O"]]),
        {},
        "example 3 has 2 words but 1 tags",
    ),
    "a value without a name": (
        Dataset.from_dict({"tokens": [["Anna"]], "ner_tags": [[-1]]}, features=dataset().features),
        {},
        "example 1 has the tag -1, which has no name",
    ),
    "no tag": (
        dataset(WORDS[:1], [["PER", "O", "O"]], None),
        {},
        "example 1: illegal tag: .*'PER'",
    ),
    "another task": (
        dataset(WORDS[2:], [["O", "B-POS"]], ["O", "B-POS"]),
        {},
        "example 1: illegal tag 'B-POS': the label POS is not of this task",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_dataset_that_is_not_words_and_tags_is_refused(fault: str, tmp_path: Path) -> None:
    what, settings, message = FAULTS[fault]
    folder = saved(tmp_path / "saved", what)
    with pytest.raises(InputError, match=f"saved: {message}"):
        read(folder, **settings)


def test_a_label_that_no_example_has_is_no_fault(tmp_path: Path) -> None:
    names = [*NAMES, "B-POS", "I-POS"]
    assert read(saved(tmp_path / "saved", dataset(names=names))).num_spans == 2


def test_a_dataset_that_cannot_be_had_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = HubSettings(hub="owner/reviews", revision=COMMIT, split="train")
    with pytest.raises(InputError, match=r"dataset owner/reviews, split train: cannot be had"):
        read_dataset_blocks(place)
    with pytest.raises(InputError, match=r"none: cannot be had"):
        read(tmp_path / "none")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InputError, match=r"needs the package datasets; .*xlwarm\[hub\]"):
        read_dataset_blocks(place)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hub": "owner/reviews"}, "may change any day; name its commit as revision"),
        ({"hub": "owner/reviews", "revision": "main"}, "should match pattern"),
        ({"hub": "owner/reviews", "revision": COMMIT, "folder": "x"}, "either hub, .*, or folder"),
        ({"split": "train"}, "either hub, its id, or folder"),
        ({"folder": "x", "revision": COMMIT}, "revision and config are of datasets on the hub"),
    ],
)
def test_a_dataset_is_named_by_commit_or_folder(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HubSettings(**settings)


def source(folder: Path) -> Source:
    place = InputDataset.at(HubSettings(folder=str(folder)))
    return Source(files=(place,), language="en", form=Format.COLUMNS, labels=("PER", "LOC"))


def test_a_dataset_is_known_by_its_content_wherever_it_is(tmp_path: Path) -> None:
    one = source(saved(tmp_path / "one", dataset()))
    moved = source(saved(tmp_path / "two", dataset()))
    as_strings = source(saved(tmp_path / "three", dataset(names=None)))
    assert fingerprint([one]) == fingerprint([moved]) == fingerprint([as_strings])
    for words, tags in (
        ([["Anne", "Berg", "sings"], *WORDS[1:]], TAGS),
        (WORDS, [["O", "B-PER", "O"], *TAGS[1:]]),
    ):
        other = source(saved(tmp_path / f"{words[0][0]}{tags[0][0]}", dataset(words, tags)))
        assert fingerprint([one]) != fingerprint([other])


def test_a_dataset_that_changed_after_it_was_planned_is_refused(tmp_path: Path) -> None:
    planned = source(saved(tmp_path / "one", dataset()))
    changed = saved(tmp_path / "other", dataset(WORDS[2:], TAGS[2:]))
    for file in (tmp_path / "one").iterdir():
        file.unlink()
    (tmp_path / "one").rmdir()
    changed.rename(tmp_path / "one")
    with pytest.raises(InputError, match="one: has changed since the study was planned"):
        planned.read()


def test_a_study_trains_and_tests_on_datasets_of_its_languages(
    tmp_path: Path, tiny_xlmr: Path
) -> None:
    path = write_study(tmp_path, tiny_xlmr)
    plain = make_plan(read_study(path))
    for name in ("en.train", "en.dev", "es.test", "de.test", "nl.test"):
        rows = [line.split() for line in (tmp_path / f"{name}.conll").read_text().split("\n")]
        blocks: list[list[list[str]]] = [[]]
        for row in rows:
            if row:
                blocks[-1].append(row)
            elif blocks[-1]:
                blocks.append([])
        words = [[row[0] for row in block] for block in blocks if block]
        tags = [[row[-1] for row in block] for block in blocks if block]
        saved(tmp_path / name, dataset(words, tags, names=None))
    overrides = [
        "data.train={folder: en.train}",
        "data.dev={folder: en.dev}",
        "data.test={folder: '{language}.test'}",
    ]
    study = read_study(path, overrides)
    plan = make_plan(study)
    assert len(plan.steps) == len(plain.steps)
    for ours, theirs in zip(plan.specs, plain.specs, strict=True):
        for one, other in zip(ours.evaluations, theirs.evaluations, strict=True):
            assert one.test.read() == other.test.read()
    assert plan.steps[0].source.read() == plain.steps[0].source.read()
    with pytest.raises(InputError, match=r"data.train.*: a dataset needs either hub"):
        read_study(path, ["data.train={hub: a/b, folder: c}"])

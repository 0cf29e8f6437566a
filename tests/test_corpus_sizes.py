"""``xlwarm data``: what it counts, and that only known differences from the paper are explained."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from experiments.corpus_sizes import TABLES, CorpusSize, compare, size_of
from experiments.data import data
from projection.corpora import Format, Part, Side, read_corpus, take
from projection.inputs import Input
from tests.studies import write_study

FIXTURES = Path(__file__).parent / "fixtures"
PAPER = Path(__file__).parents[1] / "experiments" / "paper"
BOTH = (Input.POS, Input.PREDICATE)


def size(name: str, sentences: int, spans: int, predicates: int = 0) -> CorpusSize:
    split, language = name.split()
    return CorpusSize(
        language, split, sentences, sentences, 9, predicates or sentences, {"X": spans}, {}
    )


def test_blocks_predicates_and_arguments_are_counted_by_hand() -> None:
    corpus = read_corpus([FIXTURES / "propbank_tiny.conllu"], "en", Format.PROPBANK)
    found = size_of(corpus, "train")
    assert (found.name, found.blocks, found.labelled, found.predicates) == ("train en", 3, 2, 3)
    assert found.words == 10 + 7
    assert found.labels == {"A0": 2, "A1": 2, "A4": 1, "AM-TMP": 1}
    assert found.spans == 6
    assert found.left_out == {"blocks without a predicate": 1}


def test_parts_of_a_file_add_up_to_its_labelled_sentences() -> None:
    corpus = read_corpus([FIXTURES / "semeval_tiny.xml"] * 5, "en", Format.SEMEVAL)
    train, dev = (size_of(take(corpus, Part(s, 0.2, 1)), s, part=True) for s in Side)
    whole = size_of(corpus, "train")
    assert (whole.blocks, whole.labelled, dev.blocks) == (15, 10, 2)
    assert train.blocks + dev.blocks == whole.labelled
    assert train.words + dev.words == whole.words
    assert train.spans + dev.spans == whole.spans == 20
    assert (train.left_out, dev.left_out) == (whole.left_out, {})


def test_equal_sizes_need_no_reason_and_known_differences_have_theirs() -> None:
    sizes = [size("test de", 3005, 3673), size("test es", 1517, 3559)]
    equal, also, sentences, entities = compare("ner", (), sizes)
    assert [(one.here, one.paper) for one in (equal, also)] == [(3005, 3005), (3673, 3673)]
    assert sentences.because is None
    assert not sentences.unexplained
    assert (entities.corpus, entities.of, entities.paper) == ("es.test", "entities", 3558)
    assert entities.because is not None
    assert "B- tags" in entities.because


def test_a_difference_that_nobody_knows_is_unexplained() -> None:
    _, entities = compare("ner", (), [size("test es", 1517, 3560)])
    assert entities.unexplained


def test_dutch_without_the_sentences_that_begin_with_docstart_is_explained() -> None:
    sentences, entities = compare("ner", (), [size("test nl", 5076, 3849)])
    assert sentences.because is not None
    assert "-DOCSTART-" in sentences.because
    assert not entities.unexplained


def test_training_reviews_are_compared_before_a_fifth_becomes_the_development_set() -> None:
    sizes = [size("train en", 1600, 1377), size("dev en", 400, 365)]
    sentences, aspects = compare("absa", (), sizes)
    assert (sentences.corpus, sentences.here, sentences.paper) == ("en.train", 2000, 2000)
    assert (aspects.here, aspects.paper, aspects.unexplained) == (1742, 2507, False)


def test_sentences_with_and_without_predicates_count_in_srl_and_so_do_predicates() -> None:
    found = compare("srl", BOTH, [size("test fi", 648, 3063, predicates=1451)])
    assert [(one.of, one.here, one.paper) for one in found] == [
        ("sentences", 648, 648),
        ("predicates", 1451, 1451),
    ]


def test_tasks_and_languages_that_the_paper_has_not_are_passed_over() -> None:
    assert compare("chunks", (), [size("train en", 1, 1)]) == []
    assert compare("ner", (), [size("train it", 1, 1)]) == []


def test_every_known_difference_is_one_from_a_number_of_the_paper() -> None:
    numbers = yaml.safe_load((PAPER / "numbers.yaml").read_text())
    counts = {table.key: table.counts for table in TABLES.values()}
    seen: set[tuple[str, str, str, int]] = set()
    for known in yaml.safe_load((PAPER / "differences.yaml").read_text()):
        assert set(known) == {"table", "of", "here", "because"}
        assert known["of"] in ("sentences", counts[known["table"]])
        for corpus, here in known["here"].items():
            language, split = corpus.split(".")
            sentences, count = numbers[known["table"]][language][split]
            assert here != (sentences if known["of"] == "sentences" else count)
            assert (known["table"], known["of"], corpus, here) not in seen
            seen.add((known["table"], known["of"], corpus, here))


def rows(text: str) -> Mapping[str, list[str]]:
    return {" ".join(line.split()[:2]): line.split()[2:] for line in text.splitlines() if line}


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line]


def test_the_command_counts_every_corpus_of_a_study(tmp_path: Path, tiny_xlmr: Path) -> None:
    study = write_study(tmp_path, tiny_xlmr)
    (tmp_path / "extra.txt").write_text("a dog ||| un perro\na cat ||| un gato\n")
    lines = (tmp_path / "de.train.txt").read_text().splitlines(keepends=True)
    (tmp_path / "de.train.txt").write_text("".join(["\n", *lines[1:]]))
    done = CliRunner().invoke(data, [str(study), "--set", "data.parallel_text=[extra.txt]"])
    assert done.exit_code == 0, done.output
    found = rows(done.output)
    tags = [line.split()[-1] for line in _lines(tmp_path / "en.train.conll")]
    spans = sum(tag.startswith("B-") for tag in tags)
    assert found["train en"] == ["24", "24", str(len(tags)), str(spans)]
    assert found["test nl"][:2] == ["10", "10"]
    assert found["de 23"][0] == "1"
    assert found["es 24"][0] == "0"
    assert found["de 23"][-1] == "2"
    assert "UNEXPLAINED" in done.output


def test_markdown_goes_to_a_file_and_a_translator_is_not_started(
    tmp_path: Path, tiny_xlmr: Path
) -> None:
    study = write_study(tmp_path, tiny_xlmr)
    out = tmp_path / "sizes.md"
    overrides = ["--set", "data.translations={translator: apertium}"]
    done = CliRunner().invoke(
        data, [str(study), *overrides, "--format", "markdown", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert "| train en |" in out.read_text()
    assert "| nl, by apertium |" in out.read_text()


def test_a_broken_corpus_is_refused(tmp_path: Path, tiny_xlmr: Path) -> None:
    study = write_study(tmp_path, tiny_xlmr)
    (tmp_path / "nl.test.conll").write_text("Oslo\n")
    done = CliRunner().invoke(data, [str(study)])
    with pytest.raises(ValueError, match=r"nl.test.conll:1: expected 'word"):
        raise done.exception or AssertionError

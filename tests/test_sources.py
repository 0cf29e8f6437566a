"""Corpora as steps know them: by content, split by chance, and without labels where need be."""

from dataclasses import replace
from pathlib import Path

from orchestrator.fingerprints import fingerprint
from orchestrator.steps.sources import InputFile, Source, UnlabelledSource, words_hash
from projection.corpora import Format, Part, Side
from projection.records import Sentence, Span

WORDS = ("she", "eats", "soup")
EATS = Sentence("en-0", "en", WORDS, (Span(0, 1, "A0"),), ("PRON", "VERB", "NOUN"), 1)


def _source(*paths: Path, part: Part | None = None) -> Source:
    files = tuple(InputFile.at(path) for path in paths)
    return Source(files=files, language="en", form=Format.COLUMNS, labels=("PER",), part=part)


def _write(path: Path, *names: str) -> Path:
    path.write_text("".join(f"{name}\tB-PER\nsings\tO\n\n" for name in names))
    return path


def test_the_identity_of_unlabelled_words_changes_with_all_that_a_model_sees_but_no_label() -> None:
    same = replace(EATS, id="other", spans=(Span(2, 3, "A1"),))
    assert words_hash([EATS]) == words_hash([same])
    for other in (
        replace(EATS, tokens=("he", "eats", "soup")),
        replace(EATS, pos=("PRON", "AUX", "NOUN")),
        replace(EATS, predicate=0),
    ):
        assert words_hash([EATS]) != words_hash([other])


def test_unlabelled_sources_give_sentences_without_spans(tmp_path: Path) -> None:
    source = _source(_write(tmp_path / "a", "Anna"))
    [sentence] = UnlabelledSource.of(source).read()
    assert (sentence.tokens, sentence.spans) == (("Anna", "sings"), ())


def test_several_files_are_one_corpus_with_distinct_ids(tmp_path: Path) -> None:
    corpus = _source(_write(tmp_path / "a", "Anna", "Bo"), _write(tmp_path / "b", "Cem")).read()
    assert [sentence.id for sentence in corpus.sentences] == ["en-0", "en-1", "en-0@2"]
    assert (corpus.block_of, len(corpus.blocks)) == ((0, 1, 2), 3)


def test_a_split_is_disjoint_whole_and_drawn_by_its_seed_and_keeps_the_blocks(
    tmp_path: Path,
) -> None:
    path = _write(tmp_path / "a", *(f"Name{k}" for k in range(20)))

    def ids(side: Side, seed: int) -> set[str]:
        corpus = _source(path, part=Part(side, 0.2, seed)).read()
        assert len(corpus.blocks) == 20
        return {sentence.id for sentence in corpus.sentences}

    train, dev = ids(Side.TRAIN, 1), ids(Side.DEV, 1)
    assert (len(train), len(dev), train & dev) == (16, 4, set())
    assert ids(Side.DEV, 1) == dev != ids(Side.DEV, 2)


def test_a_source_is_another_if_its_content_its_format_or_its_part_is(tmp_path: Path) -> None:
    source = _source(_write(tmp_path / "a", "Anna"))
    moved = _source(_write(tmp_path / "b", "Anna"))
    assert fingerprint([source]) == fingerprint([moved])
    others = [
        _source(_write(tmp_path / "c", "Annabelle")),
        replace(source, form=Format.CHUNKS),
        replace(source, labels=()),
        replace(source, part=Part(Side.TRAIN, 0.2, 1)),
        replace(source, part=Part(Side.DEV, 0.2, 1)),
    ]
    assert len({fingerprint([one]) for one in [source, *others]}) == 6


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    path = _write(tmp_path / "a", "Anna")
    before = _source(path).read()
    _write(path, "Annabelle")
    assert _source(path).read() != before

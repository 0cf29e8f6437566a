"""What every reader of labelled corpora promises, whatever the format."""

import gzip
from pathlib import Path

import pytest

from projection.corpora import FORMATS, Format, Part, Side, read_corpus, take
from projection.errors import InputError

FIXTURES = Path(__file__).parent / "fixtures"
READERS = {
    "columns": (Format.COLUMNS, "columns_tiny.conll"),
    "chunks": (Format.CHUNKS, "chunks_tiny.txt"),
    "propbank": (Format.PROPBANK, "propbank_tiny.conllu"),
    "propbank, English layout": (Format.PROPBANK, "propbank_ewt_tiny.conllu"),
    "semeval": (Format.SEMEVAL, "semeval_tiny.xml"),
}
every_reader = pytest.mark.parametrize("name", READERS)


def read(name, path=None, **settings):
    form, file = READERS[name]
    return read_corpus([path or FIXTURES / file], "en", form, **settings)


def content(name):
    return (FIXTURES / READERS[name][1]).read_bytes()


def test_every_format_is_among_the_readers_tested_here():
    assert {form for form, _ in READERS.values()} == set(FORMATS)


@every_reader
def test_ids_are_unique_spans_and_blocks_exist_and_reading_repeats(name):
    corpus = read(name)
    assert corpus.sentences
    assert corpus.num_spans
    assert len({one.id for one in corpus.sentences}) == len(corpus.sentences)
    assert list(corpus.block_of) == sorted(corpus.block_of)
    for sentence, block in zip(corpus.sentences, corpus.block_of, strict=True):
        assert sentence.tokens == corpus.blocks[block]
        assert sentence.language == "en"
        assert sentence.id.startswith(f"en-{block}")
    assert read(name) == corpus


@every_reader
def test_packed_files_byte_order_marks_and_line_ends_change_nothing(name, tmp_path):
    plain = content(name)
    for number, (same, suffix) in enumerate(
        [
            (gzip.compress(plain), ".gz"),
            (b"\xef\xbb\xbf" + plain, ""),
            (plain.replace(b"\n", b"\r\n"), ""),
            (plain + b"\n\n", ""),
        ]
    ):
        path = tmp_path / f"{number}.txt{suffix}"
        path.write_bytes(same)
        assert read(name, path) == read(name)


@every_reader
def test_what_cannot_be_read_is_refused_by_name(name, tmp_path):
    whole = gzip.compress(content(name))
    damaged = whole[:20] + bytes(20) + whole[40:]
    for k, packed in enumerate((whole[:-9], damaged, content(name))):
        path = tmp_path / f"{k}.gz"
        path.write_bytes(packed)
        with pytest.raises(InputError, match=rf"{k}\.gz: is not a whole gzip file"):
            read(name, path)
    with pytest.raises(InputError, match=r"none: cannot be read \(No such file"):
        read(name, tmp_path / "none")


@every_reader
def test_a_file_of_another_format_is_refused_by_name(name, tmp_path):
    path = tmp_path / "notes"
    path.write_text("The corpora that we have used are listed here.\n\nThey are many.\n")
    with pytest.raises(InputError, match=r"notes:1: "):
        read(name, path)
    (tmp_path / "empty").touch()
    with pytest.raises(InputError, match=r"empty:"):
        read(name, tmp_path / "empty")


@every_reader
def test_two_files_are_one_corpus_with_ids_of_its_own(name):
    form, file = READERS[name]
    one, two = read(name), read_corpus([FIXTURES / file, FIXTURES / file], "en", form)
    assert len(two.blocks) == 2 * len(one.blocks)
    assert two.num_spans == 2 * one.num_spans
    assert len({sentence.id for sentence in two.sentences}) == 2 * len(one.sentences)
    assert two.block_of[len(one.sentences)] == len(one.blocks) + one.block_of[0]
    assert dict(two.left_out) == {why: 2 * count for why, count in one.left_out.items()}


@every_reader
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_parts_of_a_corpus_have_each_sentence_once_and_no_block_in_common(name, share):
    form, file = READERS[name]
    corpus = read_corpus([FIXTURES / file] * 5, "en", form)
    train, dev = (take(corpus, Part(side, share, 7)) for side in Side)
    assert sorted(one.id for one in train.sentences + dev.sentences) == sorted(
        one.id for one in corpus.sentences
    )
    assert not set(train.block_of) & set(dev.block_of)
    assert len(set(dev.block_of)) == round(share * len(set(corpus.block_of)))
    assert train.blocks == dev.blocks == corpus.blocks
    assert take(corpus, Part(Side.DEV, share, 7)) == dev
    others = {take(corpus, Part(Side.DEV, share, seed)).block_of for seed in range(20)}
    assert len(others) > 1

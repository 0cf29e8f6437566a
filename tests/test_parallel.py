"""Translations and alignments meet their source block by block, and every misfit has an address."""

import re

import pytest

from projection.columns import read_columns
from projection.errors import InputError
from projection.parallel import Unusable, parse_pharaoh, read_pharaoh, read_translation
from projection.records import Alignment

SOURCE = "-DOCSTART- O\n\nAnna B-PER\nsings O\n\n-DOCSTART- O\n\nin O\nOslo B-LOC\n"
"""Four blocks, of which the second and the last are sentences."""

PLAIN = "- STARTDOK -\nAnna singt\n\nin Oslo\n"
COLUMNS = "Start O\nDok O\n\nAnna O\nsingt O\n\n-DOCSTART- O\n\nin O\nOslo O\n"


@pytest.fixture
def pair_up(tmp_path):
    """Reads a source and a translation that are given as text."""

    def read(translation, source=SOURCE, encoding="utf-8"):
        source_path, path = tmp_path / "en.conll", tmp_path / "de.txt"
        source_path.write_text(source, encoding="utf-8")
        path.write_bytes(translation.encode(encoding))
        return read_translation(
            read_columns(source_path, "en").corpus, path, "de", encoding=encoding
        )

    return read


@pytest.fixture
def pharaoh(tmp_path):
    """Writes lines of an alignment file and returns its path."""

    def write(*lines):
        path = tmp_path / "en-de.talp"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("translation", [PLAIN, COLUMNS, PLAIN.replace("\n", "\r\n")])
def test_a_translation_is_paired_by_block_and_docstarts_are_told_by_the_source(
    pair_up, translation
):
    corpus = pair_up(translation)
    assert corpus.num_blocks == 4
    assert [pair.block for pair in corpus.pairs] == [1, 3]
    assert [pair.target for pair in corpus.pairs] == [("Anna", "singt"), ("in", "Oslo")]
    assert [one.id for pair in corpus.pairs for one in pair.sentences] == ["en-1", "en-3"]
    assert corpus.language == "de"


def test_the_tags_of_a_translation_in_columns_are_ignored(pair_up):
    pairs = pair_up(COLUMNS.replace("singt O", "singt S-VERB")).pairs
    assert pairs[0].target == ("Anna", "singt")


def test_a_translation_may_have_an_encoding_of_its_own(pair_up):
    corpus = pair_up(PLAIN.replace("singt", "übt"), encoding="latin-1")
    assert corpus.pairs[0].target == ("Anna", "übt")


@pytest.mark.parametrize(
    ("translation", "message"),
    [
        ("Anna singt\nin Oslo\n", ": expected 4 lines, one sentence for each block .*, got 2$"),
        ("a O\n\nb O\n", ": expected 4 blocks, one for each block of the source, got 2$"),
        ("DOK\nAnna singt hier\n\nDOK DOK DOK DOK\nein\n", ": expected 4 lines, .*, got 5$"),
        ("DOK\n\nDOK\n \n", ":1: every sentence is empty"),
        ("", ": expected 4 lines, .*, got 1$"),
    ],
)
def test_a_translation_that_does_not_fit_is_refused(pair_up, translation, message):
    with pytest.raises(InputError, match=rf"de\.txt({message})"):
        pair_up(translation)


def test_a_sentence_with_an_empty_translation_is_told_apart(pair_up):
    corpus = pair_up("DOK\nAnna singt\nDOK\n \n")
    assert [pair.block for pair in corpus.pairs] == [1]
    [lost] = corpus.untranslated
    assert ([one.id for one in lost.pair.sentences], lost.reason) == (["en-3"], Unusable.EMPTY)
    assert [one.id for one in corpus.sentences] == ["en-1", "en-3"]


def test_line_k_of_an_alignment_file_is_for_block_k(pair_up, pharaoh):
    path = pharaoh("0-0 0-7", "0-0 1-1", "", "1-0")
    alignments = read_pharaoh(path, pair_up(PLAIN))
    assert alignments == [Alignment([(0, 0), (1, 1)]), Alignment([(1, 0)])]


def test_the_first_index_of_a_pair_is_the_source_word():
    assert parse_pharaoh("10-2 3-0  3-0").pairs == ((3, 0), (10, 2))


OUT_OF_RANGE = r"alignment pair {} lies outside .* \(2 source words, 2 target words"


@pytest.mark.parametrize(
    ("links", "message"),
    [
        ("0-0 2-1", OUT_OF_RANGE.format("2-1")),
        ("0-0 1-2", OUT_OF_RANGE.format("1-2")),
        *[
            (f"0-0 {text}", f"expected pairs 'i-j' of .* from 0, got '{re.escape(text)}'$")
            for text in ("1", "1-", "-1", "1--1", "a-1", "1p1", "0-1-1", "1.0-1", "+1-1")
        ],
    ],
)
def test_a_bad_alignment_pair_is_refused_with_its_line(pair_up, pharaoh, links, message):
    path = pharaoh("", "0-0", "", links)
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}:4: {message}"):
        read_pharaoh(path, pair_up(PLAIN))


@pytest.mark.parametrize("lines", [["0-0"] * 2, ["0-0"] * 3, ["0-0"] * 5])
def test_an_alignment_file_needs_a_line_for_every_block(pair_up, pharaoh, lines):
    path = pharaoh(*lines)
    with pytest.raises(InputError, match=f"expected 4 lines, one for each block, got {len(lines)}"):
        read_pharaoh(path, pair_up(PLAIN))

"""Column files: every layout of the CoNLL family is read, and every broken row has an address."""

import gzip
import io
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.columns import Block, read_blocks, read_columns, write_columns
from projection.errors import InputError
from projection.jsonl import read_sentences, write_sentences
from projection.records import Sentence, Span
from projection.schemes import Detected, TagScheme
from tests.generators import law, predicated_sentences, sentences, words

TWO = "Anna B-PER\nsingt O\n\nin O\nBad B-LOC\nEms I-LOC\n"
TWO_SENTENCES = (
    Sentence("de-0", "de", ("Anna", "singt"), (Span(0, 1, "PER"),)),
    Sentence("de-1", "de", ("in", "Bad", "Ems"), (Span(1, 3, "LOC"),)),
)


@pytest.fixture
def file(tmp_path):
    """Writes text or bytes to a file and returns its path."""

    def write(content, name="de.conll"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def widened(columns, separator):
    """The two sentences with ``columns`` columns."""
    middle = separator.join(["", *["x"] * (columns - 2), ""])
    return TWO.replace(" ", middle)


LAYOUTS = {
    **{f"{n} columns, spaces": widened(n, " ") for n in (2, 3, 4, 5)},
    **{f"{n} columns, tabs": widened(n, "\t") for n in (2, 3, 4, 5)},
    "several spaces": TWO.replace(" ", "   "),
    "CRLF": TWO.replace("\n", "\r\n"),
    "space after the tag": TWO.replace("\n", " \n"),
    "several blank lines": "\n\n" + TWO.replace("\n\n", "\n \n\n") + "\n\n",
    "no newline at the end": TWO.rstrip("\n"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_sentences(file, layout):
    read = read_columns(file(LAYOUTS[layout]), "de")
    assert read.corpus.sentences == TWO_SENTENCES
    assert read.detected == Detected(TagScheme.BIO, 0)


def test_a_gzipped_file_gives_the_sentences_of_the_plain_one(file):
    path = file(gzip.compress(TWO.encode()), "de.conll.gz")
    assert read_columns(path, "de").corpus.sentences == TWO_SENTENCES


def test_a_tab_file_keeps_the_spaces_inside_its_words(file):
    [sentence] = read_columns(file("1 000\tO\nAnna\tB-PER\n"), "fr").corpus.sentences
    assert sentence.tokens == ("1 000", "Anna")


def test_docstart_blocks_are_dropped_but_numbered(file):
    marker = "-DOCSTART- O\n\n"
    read = read_columns(file(marker + TWO + "\n" + marker + "Anna B-PER\n"), "de")
    assert [sentence.id for sentence in read.corpus.sentences] == ["de-1", "de-2", "de-4"]
    assert read.corpus.left_out == {"-DOCSTART-": 2}


def test_a_docstart_row_without_a_blank_line_loses_no_sentence(file):
    [glued, _] = read_columns(file("-DOCSTART- O\n" + TWO), "nl").corpus.sentences
    assert glued == Sentence("nl-0", "nl", ("-DOCSTART-", "Anna", "singt"), (Span(1, 2, "PER"),))


def test_latin_1_is_read_when_named_and_else_refused_with_line_and_byte(file):
    path = file("Anna B-PER\nsingt O\n\nKöln B-LOC\n".encode("latin-1"))
    assert read_columns(path, "de", encoding="latin-1").corpus.sentences[1].tokens == ("Köln",)
    message = rf"{re.escape(str(path))}:4: expected utf-8, got the byte 0xf6; .*latin-1"
    with pytest.raises(InputError, match=message):
        read_columns(path, "de")


BROKEN = {
    "one column": ("Anna B-PER\nsingt\n", ":2: expected 'word ... tag' in 2 to 5 .*got 'singt'"),
    "six columns": ("a b c d e O\n", ":1: expected 'word ... tag' in 2 to 5 columns"),
    "other width": (TWO + "x y O\n", ":7: expected 2 columns as in the rows before, got 'x y O'"),
    "no prefix": ("Anna O\n\nsingt PER\n", ":3: illegal tag: expected O or .*got 'PER'"),
    "lower case": ("Anna b-PER\n", ":1: illegal tag: .*got 'b-PER'"),
    "other task": ("in O\nAnna B-POS\n", ":2: illegal tag 'B-POS': the label POS .*PER LOC"),
    "mixed schemes": ("a S-PER\n\nb B-LOC\nc I-LOC\n", ": mixed tag schemes"),
    "no rows": ("\n \n", ": expected rows 'word ... tag', got an empty file"),
    "no bytes": ("", ": expected rows 'word ... tag', got an empty file"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_file_is_refused_with_its_path_and_line(file, fault):
    content, message = BROKEN[fault]
    path = file(content)
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}{message}"):
        read_columns(path, "de", labels=("PER", "LOC"))


def test_an_unreadable_file_is_refused_by_name(file, tmp_path):
    with pytest.raises(InputError, match=r"none\.conll: cannot be read \(No such file"):
        read_columns(tmp_path / "none.conll", "de")
    whole = gzip.compress(TWO.encode())
    for cut in (TWO.encode(), whole[:-9]):
        with pytest.raises(InputError, match=r"cut\.gz: is not a whole gzip file"):
            read_columns(file(cut, "cut.gz"), "de")
    with pytest.raises(InputError, match="unknown encoding 'utf-9'"):
        read_columns(file(TWO), "de", encoding="utf-9")


def test_a_file_in_another_scheme_than_the_one_named_is_refused(file):
    with pytest.raises(InputError, match="expected bioes tags, got bio"):
        read_columns(file(TWO), "de", scheme=TagScheme.BIOES)


def test_ill_formed_spans_are_counted_if_the_scheme_is_named(file):
    rows = "a I-PER\n\nb B-LOC\nc I-PER\n\nd B-LOC\n"
    read = read_columns(file(rows), "de", scheme=TagScheme.BIO)
    assert read.detected == Detected(TagScheme.BIO, 2)
    assert [len(sentence.spans) for sentence in read.corpus.sentences] == [1, 2, 1]


@pytest.mark.parametrize("scheme", TagScheme)
def test_a_file_without_spans_is_of_every_scheme(file, scheme):
    [sentence] = read_columns(file("Anna O\nsingt O\n"), "de", scheme=scheme).corpus.sentences
    assert sentence.spans == ()


def test_named_as_oi_every_labelled_word_is_a_span(file):
    read = read_columns(file("in O\nBad I-A1\nEms I-A1\n"), "de", scheme=TagScheme.OI)
    assert read.corpus.sentences[0].spans == (Span(1, 2, "A1"), Span(2, 3, "A1"))


@law
@given(st.lists(sentences(), min_size=1, max_size=4), st.sampled_from(["bio", "bioes"]))
def test_read_undoes_write(tmp_path_factory, written, scheme):
    out = io.StringIO()
    write_columns(written, out, TagScheme(scheme))
    path = tmp_path_factory.getbasetemp() / "written.conll"
    path.write_text(out.getvalue(), encoding="utf-8")
    read = read_columns(path, "en").corpus.sentences
    assert [(s.tokens, s.spans) for s in read] == [(s.tokens, s.spans) for s in written]


def test_predictions_for_a_predicate_mark_it_and_read_back_argument_by_argument(file):
    roles = (Span(0, 1, "A0"), Span(1, 2, "A0"), Span(3, 4, "A1"))
    out = io.StringIO()
    one = Sentence("en-0", "en", ("Ana", "Berg", "saw", "two words"), roles, predicate=2)
    write_columns([one, replace(one, predicate=0)], out, TagScheme.BIO)
    rows = "Ana\t_\tB-A0\nBerg\t_\tB-A0\nsaw\tV\tO\ntwo words\t_\tB-A1\n\n"
    assert out.getvalue().startswith(rows)
    for scheme in (None, TagScheme.BIO, TagScheme.OI):
        read = read_columns(file(out.getvalue()), "en", scheme=scheme).corpus.sentences
        assert [(s.tokens, s.spans) for s in read] == [(one.tokens, roles)] * 2


@law
@given(st.lists(predicated_sentences(), max_size=3), words)
def test_json_lines_give_back_the_sentences(tmp_path_factory, written, word):
    odd = Sentence("x-7", "x", (f'{word}"\\', "two words", "line\nend\u2028", "\x85"))
    path = tmp_path_factory.getbasetemp() / "written.jsonl"
    write_sentences([*written, odd], path)
    assert read_sentences(path) == [*written, odd]
    assert len(path.read_bytes().splitlines()) == len(written) + 1


REGULAR = "\nz\tO\n\na\tO\nb\tB-X\nc\tI-X\n\n\n\nd\tO\ne\tO"
"""Eleven lines, blocks from 2, 4 and 10 on."""


@pytest.mark.parametrize(
    "text",
    [
        REGULAR,
        REGULAR.replace("\t", " "),
        REGULAR.replace("\t", "  "),
        REGULAR.replace("\n", " \n"),
        REGULAR.replace("\n", "\r\n"),
        REGULAR.replace("b\t", "b "),
    ],
    ids=["tabs", "spaces", "wide", "trailing", "returns", "mixed"],
)
def test_blocks_and_their_lines_are_the_same_however_regular_the_file_is(file, text):
    path = file(text)
    assert read_blocks(path) == [
        Block(2, ("z",), ("O",)),
        Block(4, ("a", "b", "c"), ("O", "B-X", "I-X")),
        Block(10, ("d", "e"), ("O", "O")),
    ]
    assert [block.tags for block in read_blocks(path, tag_column=0)] == [
        ("z",),
        ("a", "b", "c"),
        ("d", "e"),
    ]

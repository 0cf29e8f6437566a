"""Universal PropBank: each rule of the reader on a few words, every broken row by its line."""

import re
from pathlib import Path

import pytest

from projection.errors import InputError
from projection.propbank import read_propbank
from projection.records import Span

FIXTURES = Path(__file__).parent / "fixtures"
TINY = (FIXTURES / "propbank_tiny.conllu").read_text()


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "up.conllu"
        path.write_text(content, encoding="utf-8")
        return path

    return write


def test_every_predicate_is_a_sentence_with_its_own_arguments_on_single_words():
    corpus = read_propbank(FIXTURES / "propbank_tiny.conllu", "en")
    sees, rows, came = corpus.sentences
    assert [one.id for one in corpus.sentences] == ["en-0.0", "en-0.1", "en-2.0"]
    assert [one.tokens[one.predicate] for one in corpus.sentences] == ["sees", "rows", "came"]
    assert sees.spans == (Span(0, 1, "A0"), Span(6, 7, "A1"))
    assert rows.spans == (Span(0, 1, "A0"),)
    assert came.spans == (Span(0, 1, "A1"), Span(4, 5, "A4"), Span(5, 6, "AM-TMP"))
    assert came.pos == ("PRON", "VERB", "ADP", "DET", "NOUN", "NOUN", "PUNCT")


def test_a_block_without_a_predicate_has_words_but_no_sentence_and_is_counted():
    corpus = read_propbank(FIXTURES / "propbank_tiny.conllu", "en")
    assert corpus.blocks[1] == ("A", "quiet", "day", ".")
    assert corpus.block_of == (0, 0, 2)
    assert corpus.left_out == {"blocks without a predicate": 1}


def test_multiword_rows_are_no_words_however_many_columns_they_have():
    corpus = read_propbank(FIXTURES / "propbank_tiny.conllu", "en")
    assert corpus.blocks[2] == ("She", "came", "to", "the", "sea", "today", ".")


def test_the_english_layout_has_rolesets_one_column_on_and_full_names_of_roles():
    had, come = read_propbank(FIXTURES / "propbank_ewt_tiny.conllu", "en").sentences
    assert had.tokens == come.tokens == ("Ana", "had", "come", ".")
    assert (had.predicate, had.spans) == (1, ())
    assert (come.predicate, come.spans) == (2, (Span(0, 1, "A1"), Span(3, 4, "AM-ADV")))


def test_roles_that_the_task_has_not_are_left_out_and_counted():
    corpus = read_propbank(FIXTURES / "propbank_tiny.conllu", "en", labels=("A0", "A1"))
    assert {span.label for one in corpus.sentences for span in one.spans} == {"A0", "A1"}
    assert corpus.left_out["arguments of other roles"] == 2


def test_a_hyphen_that_is_written_as_an_empty_cell_is_told_by_the_text(file):
    """``_`` is ``-`` in 1685 of the 1696 places where the public English files have it."""
    words = ("Ana", "sees", "a", "well", "-", "known", "boat", "and", "rows", ".")
    assert read_propbank(file(TINY), "en").blocks[0] == words
    for text in ("# sentence-text: well _ known", "# id = 1"):
        other = TINY.replace("# sentence-text: Ana sees a well-known boat and rows.", text)
        assert read_propbank(file(other), "en").blocks[0][4] == "_"


def test_comments_may_hold_tabs_and_words_may_begin_with_a_number_sign(file):
    text = TINY.replace("# sentence-text: A quiet", '# ref="x"\t&L" text="A quiet')
    text = text.replace("\tquiet\tquiet", "\t#quiet\tquiet")
    corpus = read_propbank(file(text), "en")
    assert corpus.blocks[1] == ("A", "#quiet", "day", ".")
    assert len(corpus.blocks) == 3


def without(cell, row):
    """``TINY`` without one cell of the row that begins with ``row``."""
    lines = TINY.splitlines(keepends=True)
    k = next(k for k, line in enumerate(lines) if line.startswith(row))
    cells = lines[k].split("\t")
    lines[k] = "\t".join(cells[:cell] + cells[cell + 1 :])
    return "".join(lines)


BROKEN = {
    "a missing cell": (without(5, "7\tboat"), ":8: expected 12 columns with tabs between, got 11"),
    "a missing argument": (
        "".join(
            line.removesuffix("\t_\n") + "\n" if "\trows\t" in line else line
            for line in TINY.splitlines(keepends=True)
        ),
        ":10: expected 12 columns with tabs between, got 11",
    ),
    "a missing word": (without(0, "7\tboat"), ":8: expected a row that begins with a number"),
    "no form": (TINY.replace("\tboat\tboat", "\t\tboat"), ":8: expected a word in column 2"),
    "no POS": (TINY.replace("\tboat\tNOUN", "\tboat\t"), ":8: expected .* POS in column 4"),
    "words out of order": (TINY.replace("7\tboat", "8\tboat"), ":8: expected word 7, got word 8"),
    "too few columns of arguments": (
        TINY.replace("\tY\tcome.01", "\t_\t_"),
        ":20: expected one column of arguments for each of the 0 predicates of the sentence, got 1",
    ),
    "too many predicates": (
        TINY.replace("boat\tNOUN\tNN\t_\t2\tdobj\t_\t_", "boat\tNOUN\tNN\t_\t2\tdobj\tY\tboat.01"),
        ":2: expected one column of arguments for each of the 3 predicates of the sentence, got 2",
    ),
    "a flag without a roleset": (
        TINY.replace("Y\trow.01", "Y\t_"),
        ":10: expected Y in column 9 and a roleset in column 10, or neither, got 'Y' and '_'",
    ),
    "a roleset without a flag": (
        TINY.replace("Y\trow.01", "_\trow.01"),
        ":10: expected Y in column 9 and a roleset .*got '_' and 'row.01'",
    ),
    "a comment among the rows": (
        TINY.replace("3\tday", "# here\n3\tday"),
        ":16: expected a row that begins with a number, got '# here'",
    ),
    "no predicate": (
        "1\tQuiet\tquiet\tADJ\tJJ\t_\t0\troot\t_\t_\n\n",
        ":1: expected rolesets in column 10",
    ),
    "ten columns of CoNLL-U": ("1\tA\ta\tDET\tDT\n\n", ":1: expected 10 columns .*got 5"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_file_is_refused_with_its_path_and_line(file, fault):
    content, message = BROKEN[fault]
    assert content != TINY
    path = file(content)
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}{message}"):
        read_propbank(path, "en")

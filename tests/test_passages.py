"""Plain text as words, and the files that passages come from."""

import gzip
import io
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.errors import InputError
from projection.inputs import Input
from projection.passages import Passage, split_words
from projection.unlabelled import STANDARD_INPUT, Layout, layout_of, read_passages
from tests.generators import law

SRL = (Input.POS, Input.PREDICATE)


def words(text):
    return [text[start:end] for start, end in split_words(text)]


@law
@given(st.text(max_size=40))
def test_words_are_in_order_and_hold_every_character_but_white_space(text):
    places = split_words(text)
    assert all(start < end for start, end in places)
    assert all(left[1] <= right[0] for left, right in pairwise(places))
    assert "".join(words(text)) == "".join(text.split())


def test_marks_at_the_edges_of_a_word_are_words_and_those_inside_are_not():
    assert words("«¿Quién?», U.S.-based (3.5 %)…") == [
        *("«", "¿", "Quién", "?", "»", ","),
        *("U.S.-based", "(", "3.5", "%", ")", "…"),
    ]


def test_an_apostrophe_parts_words_in_every_language():
    assert words("Anna's l’équipe") == ["Anna", "'", "s", "l", "’", "équipe"]


def test_letters_with_combining_signs_stay_one_word():
    assert words("हिन्दी में") == ["हिन्दी", "में"]


@law
@given(st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1), max_size=6))
def test_a_passage_of_tokens_has_those_tokens_at_their_places(tokens):
    passage = Passage.of_tokens(tokens)
    assert list(passage.tokens) == tokens
    assert passage.text == " ".join(tokens)


def read(text, layout, inputs=()):
    content = text if isinstance(text, bytes) else text.encode()
    return list(read_passages(STANDARD_INPUT, layout, io.BytesIO(content), inputs))


def test_every_line_of_a_text_is_a_passage_and_blank_ones_have_no_words():
    passages = read("Anna visited Oslo.\r\n\n Lima!", Layout.TEXT)
    assert [one.text for one in passages] == ["Anna visited Oslo.", "", " Lima!"]
    assert [one.tokens for one in passages] == [("Anna", "visited", "Oslo", "."), (), ("Lima", "!")]


def test_columns_are_read_by_their_first_one_up_to_a_blank_line():
    text = "Anna NNP B-PER\nleft\n\n\nOslo\tNNP\tO\n \nLima"
    assert [one.tokens for one in read(text, Layout.CONLL)] == [
        ("Anna", "left"),
        ("Oslo",),
        ("Lima",),
    ]


def test_objects_give_a_text_or_tokens_and_keep_their_id():
    text = '{"text": "Hi, Anna", "id": 7}\n\n{"tokens": ["U.S.", "New York"]}\n'
    passages = read(text, Layout.JSONL)
    assert [one.tokens for one in passages] == [("Hi", ",", "Anna"), ("U.S.", "New York")]
    assert [one.id for one in passages] == ["7", None]


def test_pos_and_predicate_are_read_where_the_model_is_given_them():
    row = {"tokens": ["She", "left"], "pos": ["PRON", "VERB"], "predicate": 1}
    (passage,) = read(json.dumps(row), Layout.JSONL, SRL)
    assert passage.sentence().pos == ("PRON", "VERB")
    assert passage.sentence().predicate == 1


@pytest.mark.parametrize(
    ("content", "layout", "inputs", "message"),
    [
        (b"Anna\nJ\xfcrgen\n", Layout.TEXT, (), "stdin:2: expected UTF-8, got the byte 0xfc"),
        ("{}\n", Layout.JSONL, (), 'stdin:1: expected a list of words as "tokens" or a text'),
        ('{"text": "a"}\n[1,\n', Layout.JSONL, (), r"stdin:2: expected a JSON object, got '\[1,'"),
        ('{"tokens": ["a", " "]}', Layout.JSONL, (), r"stdin:1: .*got \['a', ' '\]"),
        ("1\tAnna\t_\t_\t_\t_\t0\troot\t_\t_", Layout.CONLL, (), "stdin:1: expected a word in"),
        ("Anna left", Layout.TEXT, SRL, "stdin:1: expected JSON lines, got text: .*pos and pred"),
        (
            '{"tokens": ["a"], "pos": ["X"]}',
            Layout.JSONL,
            SRL,
            "from 0, .*got None",
        ),
        (
            '{"tokens": ["a"], "pos": ["XX"], "predicate": 0}',
            Layout.JSONL,
            SRL,
            "stdin:1: 'XX' is no universal POS tag",
        ),
        (
            '{"tokens": ["a"], "pos": ["X"], "predicate": 1}',
            Layout.JSONL,
            SRL,
            "stdin:1: .*its predicate is word 1",
        ),
        (
            '{"tokens": ["a", "b"], "pos": ["X"], "predicate": 1}',
            Layout.JSONL,
            SRL,
            "stdin:1: .*2 words but 1 POS tags",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(content, layout, inputs, message):
    with pytest.raises(InputError, match=message):
        read(content, layout, inputs)


def test_passages_arrive_before_the_file_ends():
    def growing():
        yield b"Anna\n"
        raise AssertionError("read too far")

    first = next(iter(read_passages(STANDARD_INPUT, Layout.TEXT, growing())))
    assert first.text == "Anna"


def test_files_are_unpacked_and_their_form_is_told_by_their_name(tmp_path):
    path = tmp_path / "es.conll.gz"
    path.write_bytes(gzip.compress("\ufeffAnna O\nleft O\n".encode()))
    assert layout_of(path) is Layout.CONLL
    (passage,) = read_passages(path, Layout.CONLL, io.BytesIO())
    assert passage.tokens == ("Anna", "left")
    assert [layout_of(tmp_path / name) for name in ("a.jsonl", "a.txt", "a")] == [
        Layout.JSONL,
        Layout.TEXT,
        Layout.TEXT,
    ]


def test_a_missing_or_broken_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no\.txt: cannot be read"):
        list(read_passages(tmp_path / "no.txt", Layout.TEXT, io.BytesIO()))
    (tmp_path / "half.gz").write_bytes(gzip.compress(b"Anna\n" * 9)[:-9])
    with pytest.raises(InputError, match=r"half\.gz:\d+: cannot be read"):
        list(read_passages(tmp_path / "half.gz", Layout.TEXT, io.BytesIO()))

"""Aligners on word vectors, the recommended one, second opinions, and programs of others."""

import os
import stat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import linear_sum_assignment

from projection.aligners import AlignmentSettings, make_aligner, needs_encoder
from projection.aligners.embedding import argmax, itermax, match
from projection.errors import InputError
from projection.records import Alignment
from tests.generators import law
from tests.test_aligners import BOOKS, align, corpus_of

MEANINGS = {"cat": 0, "gato": 0, "sleeps": 1, "duerme": 1, "black": 2, "negro": 2, "here": 3}
"""Words with the same number mean the same; others mean nothing."""


def embed(sentences):
    found = []
    for words in sentences:
        vectors = np.zeros((len(words), 4), np.float32)
        for place, word in enumerate(words):
            if word in MEANINGS:
                vectors[place, MEANINGS[word]] = 1.0
        found.append(vectors)
    return found


def aligned(texts, name, **settings):
    aligner = make_aligner(name, AlignmentSettings(**settings), embed=embed)
    return aligner.align(corpus_of(texts))


@pytest.mark.parametrize("extract", ["argmax", "itermax", "match"])
def test_words_with_the_same_vector_are_linked_and_words_without_one_are_not(extract):
    texts = [("the black cat sleeps", "el gato negro duerme"), ("here", "aquí")]
    assert aligned(texts, "embedding", extract=extract) == [
        Alignment([(1, 2), (2, 1), (3, 3)]),
        Alignment([]),
    ]


similarities = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    elements=st.integers(-4, 8).map(lambda eighths: eighths / 8),
)


@law
@given(similarities)
def test_argmax_links_words_that_are_each_others_most_similar_one(similarity):
    rows, columns = similarity.shape
    expected = [
        [
            float(
                similarity[i, j] > 0
                and similarity[i, j] == max(similarity[i])
                and similarity[i, j] == max(similarity[k, j] for k in range(rows))
            )
            for j in range(columns)
        ]
        for i in range(rows)
    ]
    assert argmax(similarity).tolist() == expected


@law
@given(similarities)
def test_itermax_keeps_the_links_of_argmax_and_adds_only_to_words_without_one(similarity):
    first, last = argmax(similarity), itermax(similarity)
    assert (last >= first).all()
    for i, j in zip(*np.nonzero(last - first), strict=True):
        assert not (first[i].any() and first[:, j].any())


@law
@given(similarities)
def test_match_is_one_to_one_and_no_matching_has_a_greater_sum(similarity):
    found = match(similarity)
    assert found.sum(axis=0).max() <= 1
    assert found.sum(axis=1).max() <= 1
    rows, columns = linear_sum_assignment(-similarity)
    best = similarity[rows, columns].clip(min=0).sum()
    assert (found * similarity).sum() == pytest.approx(best)


def test_the_best_aligner_follows_word_vectors_and_where_there_are_none_the_votes():
    texts = [*BOOKS * 3, ("the cat sleeps", "duerme la gato")]
    found = aligned(texts, "best")
    assert {(1, 2), (2, 0)} <= set(found[-1].pairs)
    assert {(1, 2), (2, 1)} <= set(found[1].pairs)  # "the green house", no word has a vector
    assert found == aligned(texts, "best")


@pytest.mark.parametrize(
    ("vote", "first", "expected"),
    [
        ("supplement", "0-0", [(0, 0), (1, 1)]),
        ("supplement", "0-1 1-0", [(0, 1), (1, 0)]),
        ("union", "0-1", [(0, 0), (0, 1), (1, 1)]),
        ("intersection", "0-0 0-1", [(0, 0)]),
    ],
)
def test_a_second_opinion_counts_as_its_vote_says(vote, first, expected, tmp_path):
    links = tmp_path / "links.talp"
    links.write_text(first + "\n")
    found = aligned(
        [("cat sleeps", "gato duerme")], f"pharaoh:{links}", second="embedding", vote=vote
    )
    assert found == [Alignment(expected)]


def test_only_aligners_that_compare_words_need_an_encoder():
    assert needs_encoder("best", AlignmentSettings())
    assert needs_encoder("pharaoh", AlignmentSettings(second="embedding"))
    assert not needs_encoder("eflomal", AlignmentSettings(second="hmm"))


def test_extra_text_teaches_the_words_of_a_pair_that_shows_too_little():
    short = corpus_of([("the green door", "la puerta verde")])
    text = [(tuple(a.split()), tuple(b.split())) for a, b in BOOKS * 3]
    crossing = {(1, 2), (2, 1)}
    alone = make_aligner("ibm1", AlignmentSettings()).align(short)
    taught = make_aligner("ibm1", AlignmentSettings(), extra=text).align(short)
    assert not crossing <= set(alone[0].pairs)
    assert crossing <= set(taught[0].pairs)
    assert len(taught) == 1


def test_folded_numbers_let_one_number_teach_the_next():
    texts = [("year 1984", "1984 año"), ("year 2001", "2001 año"), ("next year", "año próximo")]
    crossed = Alignment([(0, 1), (1, 0)])
    assert align(texts, "hmm", fold_numbers=True)[1] == crossed


def test_words_beyond_what_a_model_can_take_get_no_links():
    long = " ".join(f"w{k}" for k in range(250))
    found = align([(long, long), ("w1 w2", "w1 w2")], "hmm")[0]
    assert found.pairs
    assert max(max(pair) for pair in found.pairs) < 200


PROGRAM = """#!/bin/sh
{body}
"""
ONE_LINK_A_LINE = """
while [ $# -gt 0 ]; do case $1 in -i) text=$2;; -f) forward=$2;; -r) backward=$2;; esac; shift; done
if [ -n "$forward" ]; then sed s/.*/0-0/ $text > $forward; sed s/.*/0-1/ $text > $backward
else sed s/.*/0-0/ $text; fi
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a program with a shell script as its body on the PATH."""

    def put(name, body):
        program = tmp_path / name
        program.write_text(PROGRAM.format(body=body))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return put


def test_the_programs_are_run_on_the_pairs_and_their_directions_combined(install):
    install("fast_align", ONE_LINK_A_LINE)
    install("eflomal-align", ONE_LINK_A_LINE)
    texts = [("one two", "un deux"), ("three |||", "trois quatre")]
    assert align(texts, "program:fast_align") == [Alignment([(0, 0)])] * 2
    found = align(texts, "program:eflomal", symmetrize="union")
    assert found == [Alignment([(0, 0), (0, 1)])] * 2


def test_a_program_that_is_missing_fails_or_gives_too_few_lines_is_named(install, monkeypatch):
    texts = [("one two", "un deux")]
    install("fast_align", "echo no such switch >&2; exit 3")
    with pytest.raises(RuntimeError, match="exit code 3: no such switch"):
        align(texts, "program:fast_align")
    install("fast_align", "true")
    with pytest.raises(RuntimeError, match="gave 0 and 0 lines for 1 pairs"):
        align(texts, "program:fast_align")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="needs the program fast_align on the PATH"):
        align(texts, "program:fast_align")


def test_systran_finds_the_obvious_links_and_refuses_what_it_cannot_do():
    pytest.importorskip("systran_align")
    found = align(BOOKS * 3, "systran")
    assert len(found) == len(BOOKS) * 3
    assert {(0, 0), (3, 4), (4, 3)} <= set(found[8].pairs)
    with pytest.raises(InputError, match="symmetrises by grow-diag-final-and alone, got union"):
        align(BOOKS, "systran", symmetrize="union")

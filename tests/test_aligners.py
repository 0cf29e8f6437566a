"""Every aligner keeps one contract, and finds the words of a small obvious corpus."""

import re

import pytest

from projection.aligners import AlignmentSettings, make_aligner, split_aligner
from projection.aligners.keys import alignment_keys, anchor_pairs
from projection.aligners.settings import AlignmentKeys, Symmetrization
from projection.aligners.statistical import STATISTICAL
from projection.errors import InputError
from projection.parallel import ParallelCorpus, TranslatedPair
from projection.records import Alignment

BOOKS = [
    ("the house", "la casa"),
    ("the green house", "la casa verde"),
    ("the big house", "la casa grande"),
    ("the door", "la puerta"),
    ("the green door", "la puerta verde"),
    ("the big door", "la puerta grande"),
    ("Anna sees the house", "Anna ve la casa"),
    ("Anna sees the green door", "Anna ve la puerta verde"),
    ("Boris sees the big door", "Boris ve la puerta grande"),
    ("Boris opens the door", "Boris abre la puerta"),
    ("Anna opens the big house", "Anna abre la casa grande"),
    ("please do open the house", "abre la casa"),
]
"""Adjectives come before the noun on the left and after it on the right."""


def corpus_of(texts):
    pairs = [
        TranslatedPair(k, tuple(source.split()), tuple(target.split()))
        for k, (source, target) in enumerate(texts)
    ]
    return ParallelCorpus("es", tuple(pairs), len(pairs))


def align(texts, name="ibm1", **settings):
    return make_aligner(name, AlignmentSettings(**settings)).align(corpus_of(texts))


@pytest.mark.parametrize("name", STATISTICAL)
def test_every_aligner_gives_one_alignment_a_pair_in_range_and_the_same_twice(name):
    texts = [*BOOKS, ("one", "un dos tres"), ("one two three", "un"), ("NULL |||", "<UNK> NULL")]
    alignments = align(texts, name)
    assert len(alignments) == len(texts)
    for alignment, (source, target) in zip(alignments, texts, strict=True):
        alignment.check(len(source.split()), len(target.split()))
    assert alignments == align(texts, name)


@pytest.mark.parametrize("name", STATISTICAL)
@pytest.mark.parametrize(
    ("sentence", "links"),
    [
        ("the green house", {(1, 2), (2, 1)}),
        ("Boris sees the big door", {(0, 0), (3, 4), (4, 3)}),
        ("please do open the house", {(4, 2)}),
    ],
)
def test_every_aligner_finds_the_obvious_links(name, sentence, links):
    place = [source for source, _ in BOOKS].index(sentence)
    assert links <= set(align(BOOKS * 3, name)[place].pairs)


@pytest.mark.parametrize("symmetrize", Symmetrization)
def test_every_symmetrization_lies_between_intersection_and_union(symmetrize):
    between = align(BOOKS, symmetrize=symmetrize)
    least, most = align(BOOKS, symmetrize="intersection"), align(BOOKS, symmetrize="union")
    assert least != most
    for low, middle, high in zip(least, between, most, strict=True):
        assert set(low.pairs) <= set(middle.pairs) <= set(high.pairs)


def test_anchors_link_a_name_that_a_single_pair_shows():
    texts = [("Anna met Boris", "Boris fand Anna")]
    crossing = {(0, 2), (2, 0)}
    assert not crossing <= set(align(texts)[0].pairs)
    assert crossing <= set(align(texts, anchors=5)[0].pairs)


def test_anchor_pairs_are_the_words_on_both_sides_once_a_pair():
    pairs = [(["b", "a", "a", "c"], ["a", "x", "b"]), (["a"], ["a"]), (["y"], ["z"])]
    assert anchor_pairs(pairs) == [(["a"], ["a"]), (["b"], ["b"]), (["a"], ["a"])]


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("OSLO", "oslo"),
        ("«Oslo»,", "oslo"),
        ("don't", "don't"),
        ("(1.5)", "1.5"),
        ("...", "..."),
        ("Übung", "übung"),
        ("हिन्दी", "हिन्दी"),
        ("ले", "ले"),
        ("cafe\u0301", "cafe\u0301"),
    ],
)
def test_folded_keys_lose_case_and_the_punctuation_at_the_edges_alone(word, key):
    assert alignment_keys([word], AlignmentKeys.FOLDED) == [key]
    assert alignment_keys([word], AlignmentKeys.SURFACE) == [word]


def test_folded_keys_let_the_aligner_see_one_word_in_two_spellings():
    texts = [("HOUSE red", "rojo CASA"), ("house", "casa"), ("House", "Casa"), ("house", "casa")]
    crossed = Alignment([(0, 1), (1, 0)])
    assert align(texts, "hmm", keys="folded")[0] == crossed
    assert align(texts, "hmm", keys="surface")[0] != crossed


@pytest.mark.parametrize("text", ["giza", "", "pharaoh", "pharaoh:", "hmm:x", "fast-align"])
def test_an_unknown_aligner_is_refused_with_the_known_ones(text):
    known = re.escape(f"unknown aligner '{text}'; known: {', '.join(STATISTICAL)}, embedding")
    with pytest.raises(InputError, match=known):
        split_aligner(text)


def test_the_pharaoh_aligner_reads_the_links_of_its_file(tmp_path):
    path = tmp_path / "links:1.talp"
    path.write_text("0-0 1-1\n2-1\n")
    assert split_aligner(f"pharaoh:{path}") == ("pharaoh", str(path))
    aligner = make_aligner(f"pharaoh:{path}", AlignmentSettings())
    assert aligner.align(corpus_of(BOOKS[:2])) == [
        Alignment([(0, 0), (1, 1)]),
        Alignment([(2, 1)]),
    ]

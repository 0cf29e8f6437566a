"""What a mapping can do beyond Eq. 2: each setting by hand, and what no setting may break."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from projection.edges import MIN_COUNT, trim_edges
from projection.errors import InputError
from projection.mapping import MAPPINGS, Conflicts, MappingSettings, map_spans, mapping_named
from projection.parallel import ParallelCorpus, TranslatedPair, Unusable, UnusablePair
from projection.project import count_projections, project_corpus
from projection.records import Alignment, DropReason, Projection, Sentence, Span
from projection.recovery import Recovery, find_copy
from projection.windows import most_similar_window
from tests.generators import aligned_pairs, law

UNALIGNED, OVERLAPS = DropReason.UNALIGNED, DropReason.OVERLAPS


def mapped(spans, links, target, source="a b c d e", **settings):
    tokens = tuple(source.split())
    pair = (
        Sentence("en-0", "en", tokens, tuple(Span(*span) for span in spans)),
        Sentence("en-0", "de", tuple(target.split())),
    )
    return map_spans(*pair, Alignment(links), MappingSettings(**settings))


def windows(projection):
    return [(span.start, span.end, span.label) for span in projection.sentence.spans]


@pytest.mark.parametrize(
    ("gap", "window"), [(None, (0, 9)), (0, (0, 2)), (1, (0, 2)), (4, (0, 2)), (5, (0, 9))]
)
def test_links_too_far_apart_are_not_one_window_and_the_run_with_most_links_wins(gap, window):
    links = [(0, 0), (1, 1), (1, 7), (1, 8), (0, 1)]
    found = mapped([(0, 2, "X")], links, "t " * 9, max_gap=gap)
    assert windows(found) == [(*window, "X")]


def test_confidence_gives_a_contested_word_to_the_span_of_which_more_is_linked():
    spans, links = [(0, 2, "X"), (2, 3, "Y")], [(0, 0), (2, 0)]
    first = mapped(spans, links, "t u")
    assert (windows(first), first.dropped) == ([(0, 1, "X")], ((Span(2, 3, "Y"), OVERLAPS),))
    sure = mapped(spans, links, "t u", conflicts="confidence")
    assert (windows(sure), sure.dropped) == ([(0, 1, "Y")], ((Span(0, 2, "X"), OVERLAPS),))


@pytest.mark.parametrize(
    ("target", "links", "window"),
    [
        ("« Río Ebro » ,", [(0, 0), (0, 4)], (1, 3)),
        ("Río , Ebro", [(0, 0), (0, 2)], (0, 3)),
        ("... !", [(0, 0), (0, 1)], (0, 2)),
    ],
)
def test_punctuation_at_the_ends_goes_and_inside_stays(target, links, window):
    found = mapped([(0, 1, "X")], links, target, trim_punctuation=True)
    assert windows(found) == [(*window, "X")]


@pytest.mark.parametrize(
    ("links", "target", "window"),
    [
        ([(1, 1)], "la empanada de cangrejo rica", (1, 4)),
        ([(1, 2)], "cangrejo la empanada de es", (0, 3)),
        ([(1, 1), (2, 3)], "la empanada de cangrejo rica", (1, 2)),
        ([(1, 1)], "la empanada, de cangrejo", (1, 2)),
        ([(1, 2)], "cangrejo ( empanada de )", (2, 3)),
        ([(0, 3), (1, 1)], "la empanada de cangrejo rica", (1, 4)),
    ],
    ids=["as many as unlinked", "before", "up to linked", "up to a comma", "up to a mark", "all"],
)
def test_a_window_takes_in_an_unlinked_neighbour_for_every_unlinked_word(links, target, window):
    found = mapped([(0, 2, "X")], links, target, source="crab dumplings are good", absorb=True)
    assert windows(found) == [(*window, "X")]


def test_one_word_is_the_longest_linked_one():
    found = mapped([(0, 1, "A0")], [(0, 0), (0, 1), (0, 3)], "ha sido y comido", one_word=True)
    assert windows(found) == [(3, 4, "A0")]


RECOVERED = {
    "a copy in other case": ("copy", "Oslo", "en OSLO hoy", (1, 2)),
    "not a copy": ("copy", "Oslo", "en Osló hoy", None),
    "nearly a copy": ("fuzzy", "Barcelona", "en Barcellona ,", (1, 2)),
    "another name": ("fuzzy", "Barcelona", "en Valencia ,", None),
    "two words": ("copy", "Nordic Rail", "la Nordic Rail ,", (1, 3)),
    "punctuation sticks": ("copy", "Oslo", "en «Oslo», hoy", (1, 2)),
    "a number": ("copy", "1984", "en 1984 .", (1, 2)),
    "too short to tell": ("fuzzy", "of", "of of", None),
    "off": ("none", "Oslo", "Oslo", None),
}


@pytest.mark.parametrize("case", RECOVERED)
def test_recovery_finds_the_words_of_a_span_without_links(case):
    how, source, target, window = RECOVERED[case]
    words = tuple(source.split())
    found = find_copy(Span(0, len(words), "X"), words, target.split(), Recovery(how))
    assert found == (range(*window) if window else None)


def test_a_recovered_span_leaves_words_alone_that_another_span_has():
    found = mapped(
        [(0, 1, "X"), (1, 2, "X")], [(0, 0)], "Oslo y Oslo", source="Oslo Oslo", recover="copy"
    )
    assert windows(found) == [(0, 1, "X"), (2, 3, "X")]


def test_rescoring_moves_an_end_only_for_much_more_similarity():
    eye = np.eye(3, dtype=np.float32)
    source, target = eye[:2], eye[[2, 0, 1]]
    assert most_similar_window(range(2), range(2), source, target) == range(1, 3)
    nearly = np.array([[1, 0], [1, 0.01]], dtype=np.float32)
    assert most_similar_window(range(1), range(2), nearly[:1], nearly) == range(2)


def _placed(text, *span):
    sentence = Sentence("en-0", "es", tuple(text.split()), (Span(*span, "X"),))
    return Projection(sentence, (Span(0, 1, "X"),), ())


def test_a_word_that_nearly_always_stands_beside_windows_is_cut_off_their_ends():
    usual = [_placed("la comida buena", 1, 2)] * (10 * MIN_COUNT)
    wrong = [_placed("la comida buena", 0, 2)] * MIN_COUNT
    alone = [_placed("es la", 1, 2)]
    trimmed = trim_edges(usual + wrong + alone)
    starts = Counter(one.sentence.spans[0].start for one in trimmed)
    assert starts == {1: 11 * MIN_COUNT + 1}
    assert trimmed[-1] == alone[0], "at least one word of a window stays"


def test_a_word_that_is_often_inside_of_windows_stays():
    names = [_placed("de La Haya", 1, 3)] * (2 * MIN_COUNT)
    others = [_placed("la comida buena", 1, 2)] * (2 * MIN_COUNT)
    assert trim_edges(names + others) == names + others


settings = st.builds(
    MappingSettings,
    max_gap=st.none() | st.integers(0, 3),
    conflicts=st.sampled_from(Conflicts),
    trim_punctuation=st.booleans(),
    one_word=st.booleans(),
    recover=st.sampled_from(Recovery),
    trim_edges=st.booleans(),
)


@law
@given(aligned_pairs(), settings)
def test_no_setting_loses_a_span_without_a_reason_or_changes_a_label(case, mapping):
    source, target, alignment = case
    pair = TranslatedPair(0, source.tokens, target.tokens, (source,))
    [projection] = project_corpus(ParallelCorpus("de", (pair,), 1), [alignment], mapping)
    lost = [span for span, _ in projection.dropped]
    assert sorted([*projection.kept, *lost]) == list(source.spans)
    labels = Counter(span.label for span in projection.sentence.spans)
    assert labels == Counter(span.label for span in projection.kept)
    if mapping.one_word and mapping.recover is Recovery.NONE:
        assert all(span.end - span.start == 1 for span in projection.sentence.spans)


def test_word_to_word_mapping_refuses_settings_that_it_does_not_read():
    with pytest.raises(ValidationError, match="does not read max_gap"):
        MappingSettings(rule="word-to-word", max_gap=2)


def test_an_unknown_mapping_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="unknown mapping 'eq2'; known: span-to-span"):
        mapping_named("eq2")
    assert mapping_named("best") is MAPPINGS["best"]


def test_arguments_are_lost_with_their_predicate_and_all_with_their_translation():
    words = ("she", "eats", "soup")
    arguments = (Span(0, 1, "A0"), Span(2, 3, "A1"))
    eats = Sentence("en-0-0", "en", words, arguments, ("PRON", "VERB", "NOUN"), predicate=1)
    other = Sentence("en-1-0", "en", words, arguments, ("PRON", "VERB", "NOUN"), predicate=1)
    pairs = (
        TranslatedPair(0, words, ("come", "sopa"), (eats,)),
        TranslatedPair(1, words, ("sopa",), (other,)),
    )
    unusable = UnusablePair(TranslatedPair(2, words, (), (eats,)), Unusable.EMPTY)
    corpus = ParallelCorpus("es", pairs, 3, (unusable,))
    links = [Alignment([(0, 0), (1, 0), (2, 1)]), Alignment([(2, 0)])]
    kept, lost, untranslated = project_corpus(corpus, links, MappingSettings(one_word=True))
    assert kept.sentence == Sentence(
        "en-0-0", "es", ("come", "sopa"), (Span(0, 1, "A0"), Span(1, 2, "A1")), ("VERB", "NOUN"), 0
    )
    assert {reason for _, reason in lost.dropped} == {DropReason.NO_PREDICATE}
    assert {reason for _, reason in untranslated.dropped} == {DropReason.UNTRANSLATED}
    counts = count_projections([kept, lost, untranslated])
    assert (counts.sentences, counts.lost_sentences, counts.drop_rate) == (1, 2, 2 / 3)

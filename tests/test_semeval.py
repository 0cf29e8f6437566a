"""SemEval-2016 XML: targets by characters, one label a target, and every fault with its line."""

import re
from pathlib import Path

import pytest

from projection.errors import InputError
from projection.records import Span
from projection.semeval import read_semeval

TINY = Path(__file__).parent / "fixtures" / "semeval_tiny.xml"


@pytest.fixture
def file(tmp_path):
    def write(content, encoding="utf-8"):
        path = tmp_path / "reviews.xml"
        path.write_bytes(content.encode(encoding))
        return path

    return write


def sentence(text, *opinions):
    """A file of one sentence; an opinion is ``(target, polarity, from, to)``."""
    rows = "".join(
        f'<Opinion target="{target}" category="X" polarity="{polarity}" from="{a}" to="{b}"/>\n'
        for target, polarity, a, b in opinions
    )
    return f"<Reviews><sentence>\n<text>{text}</text>\n{rows}</sentence></Reviews>\n"


def test_targets_are_found_by_their_characters_and_cut_out_of_words():
    first, second = read_semeval(TINY, "en").sentences
    words = "The soup was good & the waiter ' s smile better ."
    assert " ".join(first.tokens) == words
    assert first.spans == (Span(1, 2, "POS"), Span(6, 7, "POS"))
    assert " ".join(second.tokens) == "Lamb stew in red wine , cold ."


def test_of_several_opinions_on_a_target_the_first_counts_and_the_others_are_counted():
    """``soup`` is good, dear and again good: POS, one more of its kind, one against it."""
    left_out = read_semeval(TINY, "en").left_out
    assert left_out["further opinions on a target, of its polarity"] == 1
    assert left_out["further opinions on a target, of another polarity"] == 1


def test_of_overlapping_targets_the_one_that_begins_first_counts():
    corpus = read_semeval(TINY, "en")
    assert corpus.sentences[1].spans == (Span(0, 2, "NEG"), Span(3, 5, "NEU"))
    assert corpus.left_out["opinions on a target that overlaps another"] == 1


def test_of_targets_that_begin_together_the_longest_counts(file):
    both = ("fish", "positive", 0, 4), ("fish soup", "negative", 0, 9)
    for opinions in (both, both[::-1]):
        [one] = read_semeval(file(sentence("fish soup", *opinions)), "en").sentences
        assert one.spans == (Span(0, 2, "NEG"),)


def test_targets_that_touch_stay_two(file):
    text = sentence("cake tea", ("cake", "positive", 0, 4), ("tea", "positive", 5, 8))
    [one] = read_semeval(file(text), "en").sentences
    assert one.spans == (Span(0, 1, "POS"), Span(1, 2, "POS"))


def test_opinions_without_a_target_are_left_out_and_every_opinion_is_accounted_for():
    corpus = read_semeval(TINY, "en")
    assert corpus.left_out["opinions without a target"] == 1
    opinions = sum(n for why, n in corpus.left_out.items() if "opinions" in why)
    assert opinions + corpus.num_spans == TINY.read_text().count("<Opinion ") == 8


def test_a_sentence_out_of_scope_is_a_block_without_a_labelled_sentence():
    corpus = read_semeval(TINY, "en")
    assert [one.id for one in corpus.sentences] == ["en-0", "en-2"]
    assert corpus.blocks[1] == ("We", "came", "by", "bus", ".")
    assert corpus.left_out["sentences out of scope"] == 1


def test_offsets_count_characters_and_not_bytes(file):
    text = "<?xml version='1.0' encoding='latin-1'?>" + sentence(
        "Zéér goede köche", ("köche", "positive", 11, 16)
    )
    for encoding in ("latin-1", "utf-8"):
        [one] = read_semeval(file(text.replace("latin-1", encoding), encoding), "nl").sentences
        assert one.tokens[one.spans[0].start : one.spans[0].end] == ("köche",)


def test_a_target_may_differ_from_its_text_in_capitals_and_spaces_alone(file):
    text = "Red  Wine here"
    [one] = read_semeval(file(sentence(text, ("red wine", "neutral", 0, 9))), "en").sentences
    assert one.spans == (Span(0, 2, "NEU"),)
    with pytest.raises(InputError, match=r":3: expected the target 'red win' .* got 'Red  Wine'"):
        read_semeval(file(sentence(text, ("red win", "neutral", 0, 9))), "en")


SOUP = "The soup was good"
BROKEN = {
    "an offset that is off by one": (
        sentence(SOUP, ("soup", "positive", 5, 9)),
        ":3: expected the target 'soup' at characters 5 to 9, got 'oup '",
    ),
    "an offset beyond the text": (
        sentence(SOUP, ("soup", "positive", 40, 44)),
        ":3: expected the target 'soup' at characters 40 to 44, got ''",
    ),
    "an offset before the text": (
        sentence(SOUP, ("soup", "positive", -3, 4)),
        ":3: expected the target 'soup' at characters -3 to 4, got ''",
    ),
    "an empty target": (
        sentence(SOUP, ("", "positive", 0, 0)),
        ":3: expected the target '' at characters 0 to 0, got ''",
    ),
    "a target of spaces": (
        sentence(SOUP, (" ", "positive", 3, 4)),
        ":3: expected the target ' ' at characters 3 to 4, got ' '",
    ),
    "an offset that is no number": (
        sentence(SOUP, ("soup", "positive", "four", 8)),
        ":3: expected numbers in from and to, got",
    ),
    "no offset": (
        sentence(SOUP, ("soup", "positive", 4, 8)).replace("from", "at"),
        ":3: expected an opinion with from, got",
    ),
    "an unknown polarity": (
        sentence(SOUP, ("soup", "conflict", 4, 8)),
        ":3: unknown polarity 'conflict'; known: positive, negative, neutral",
    ),
    "not XML": ("Anna B-PER\n", ":1: not XML: syntax error"),
    "half a file": (sentence(SOUP)[:40], ":2: not XML: no element found"),
    "two roots": (sentence(SOUP) * 2, ":4: not XML: junk after document element"),
    "no reviews": ("<Reviews/>", ":1: expected <sentence> elements with <text>, got none"),
    "entities": (
        '<!DOCTYPE r [<!ENTITY a "aaaa">]>\n' + sentence("&a;"),
        ":1: expected reviews, got a document type with entities",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_file_is_refused_with_its_path_and_line(file, fault):
    content, message = BROKEN[fault]
    path = file(content)
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}{message}"):
        read_semeval(path, "en")


def test_a_label_of_another_task_is_refused_with_its_line(file):
    path = file(sentence(SOUP, ("soup", "neutral", 4, 8)))
    with pytest.raises(InputError, match=r":3: the label NEU is not of this task \(POS NEG\)"):
        read_semeval(path, "en", labels=("POS", "NEG"))

"""The audit: its numbers by hand, and a page that is whole, escaped and sufficient to itself."""

import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from projection.audit import EXAMPLES, measure
from projection.audit_cases import Case, gold_of, make_cases
from projection.audit_page import OF_EACH_KIND, SAMPLE, audit_texts, choose
from projection.errors import InputError
from projection.mapping import PAPER
from projection.parallel import ParallelCorpus, TranslatedPair, Unusable, UnusablePair
from projection.project import project_corpus
from projection.records import Alignment, Corpus, DropReason, Projection, Sentence, Span

EVIL = "<script>alert('&\"x\"')</script>"


def _pair(block, source, target, *spans):
    words = tuple(source.split())
    sentence = Sentence(f"en-{block}", "en", words, tuple(Span(*span) for span in spans))
    return TranslatedPair(block, words, tuple(target.split()), (sentence,))


ANNA = _pair(0, "Anna visited Oslo", "Anna fue a Oslo", (0, 1, "PER"), (2, 3, "LOC"))
BERG = _pair(2, f"Berg {EVIL} Rail", f"Rail {EVIL}", (0, 1, "PER"), (2, 3, "ORG"))
COPY = _pair(3, "he never went to Oslo", "he never went to Oslo", (4, 5, "LOC"))
CORPUS = ParallelCorpus("es", (ANNA, BERG), 4, (UnusablePair(COPY, Unusable.COPIED),))
LINKS = [Alignment([(0, 0), (1, 1), (2, 2), (2, 3)]), Alignment([(2, 0), (1, 1)])]
"""Oslo comes to lie on 'a Oslo'; Berg has no link."""
GOLD = {
    "en-0": [Span(0, 1, "PER"), Span(3, 4, "LOC")],
    "en-2": [Span(0, 1, "PER")],
    "en-3": [Span(4, 5, "LOC")],
}


@pytest.fixture
def cases():
    return make_cases(CORPUS, LINKS, project_corpus(CORPUS, LINKS, PAPER))


@pytest.fixture
def judged():
    return make_cases(CORPUS, LINKS, project_corpus(CORPUS, LINKS, PAPER), GOLD)


def test_kept_and_dropped_spans_are_counted_by_reason_and_label(cases):
    measured = measure(cases)
    assert measured["sentences"] == {
        "source": 3,
        "labelled": 2,
        "lost": 1,
        "unusable_translations": {"copied": 1},
    }
    assert measured["spans"] == {
        "source": 5,
        "kept": 3,
        "dropped": 2,
        "drop_rate": 0.4,
        "target": 3,
        "kept_by_label": {"LOC": 1, "ORG": 1, "PER": 1},
        "dropped_by_reason": {"unaligned": 1, "untranslated": 1},
        "dropped_by_label": {"LOC": {"untranslated": 1}, "PER": {"unaligned": 1}},
    }
    assert measured["gold"] is None


def test_lengths_and_label_shares_are_compared_between_source_and_target(cases):
    measured = measure(cases)
    # Usable translations: 4 words for 3, and 2 for 3.
    ratios = measured["length_ratio"]["sentences"]
    assert ratios["all"] == pytest.approx(6 / 6)
    assert ratios["mean"] == pytest.approx((4 / 3 + 2 / 3) / 2)
    assert ratios["p50"] == pytest.approx(1.0)
    assert measured["length_ratio"]["spans"]["LOC"] == {"source": 1, "target": 2, "ratio": 2}
    # LOC: 2 of 5 source spans, 1 of 3 target spans.
    shift = measured["labels"]["LOC"]
    assert (shift["source"], shift["target"]) == (2, 1)
    assert shift["shift"] == pytest.approx(1 / 3 - 2 / 5)


def test_gold_tells_exact_and_overlapping_scores_and_kinds_of_errors(judged):
    gold = measure(judged)["gold"]
    # Projected: PER right; LOC a word too long; ORG where gold has PER. Gold: 4 spans.
    exact = gold["exact"]
    assert (exact["correct"], exact["predicted"], exact["gold"]) == (1, 3, 4)
    assert exact["f1"] == pytest.approx(100 * 2 / 7)
    overlap = gold["overlap"]
    assert (overlap["right"], overlap["found"]) == (2, 2)
    assert overlap["precision"] == pytest.approx(200 / 3)
    assert overlap["recall"] == pytest.approx(50)
    assert gold["errors"] == {"too long": 1, "wrong label": 1, "missing": 1}


def test_every_drop_reason_has_an_example_with_its_words(cases):
    examples = measure(cases)["examples"]
    assert set(examples) == {"unaligned", "untranslated"}
    [lost] = examples["untranslated"]
    assert (lost["words"], lost["label"], lost["block"]) == ("Oslo", "LOC", 3)
    assert (lost["target"], lost["translation"]) == ("he never went to Oslo", "copied")


def _many(labels):
    return [
        Case(
            k,
            Sentence(f"en-{k}", "en", ("x",), (Span(0, 1, label),)),
            ("y",),
            Alignment([]),
            Projection(None, (), ((Span(0, 1, label), DropReason.UNALIGNED),)),
        )
        for k, label in enumerate(labels)
    ]


def test_a_rare_label_is_among_the_examples_of_a_reason():
    many = _many(["PER"] * 400 + ["LOC"])
    drawn = measure(many)["examples"]["unaligned"]
    assert len(drawn) == EXAMPLES
    assert "LOC" in {one["label"] for one in drawn}


def test_a_page_of_many_sentences_shows_a_sample_and_some_of_every_loss():
    kept = [
        Case(
            k,
            Sentence(f"en-{k}", "en", ("x",)),
            ("y",),
            Alignment([]),
            Projection(Sentence(f"en-{k}", "es", ("y",)), (), ()),
        )
        for k in range(14_000)
    ]
    cases = kept + _many(["PER"] * 60)
    shown = choose(cases, seed=1)
    assert shown == choose(cases, seed=1) != choose(cases, seed=2)
    assert SAMPLE < len(shown) <= SAMPLE + OF_EACH_KIND
    assert sum(bool(case.projection.dropped) for case in shown) >= OF_EACH_KIND
    _, page = audit_texts(cases, source="en", target="es", settings={})
    assert f"{len(shown)} of 14060 sentences are shown" in page


VOID = {"meta", "input", "br"}


class Page(HTMLParser):
    """Checks that tags nest, and keeps what the page consists of."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], Counter(), [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_the_page_is_well_formed_and_what_tokens_say_is_text(judged):
    _, text = audit_texts(judged, source="en", target="es", settings={"aligner": EVIL})
    page = Page(text)
    assert page.tags["script"] == page.tags["style"] == 1
    assert page.tags["article"] == 3
    # The aligner, and the word in source, target and gold row.
    assert page.texts.count(EVIL) == 4


def test_the_page_refers_to_nothing_outside_itself(judged):
    _, text = audit_texts(judged, source="en", target="es", settings={})
    page = Page(text)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", text)
    assert not {"src", "href", "action"} & {name for name, _ in page.attributes}
    assert not {"link", "iframe", "img", "object"} & set(page.tags)


def test_the_page_has_links_labels_and_what_was_lost_for_every_sentence(judged):
    _, text = audit_texts(judged, source="en", target="es", settings={})
    page = Page(text)
    links = [value for name, value in page.attributes if name == "data-links"]
    assert links == ["0-0 1-1 2-2 2-3", "1-1 2-0", ""]
    assert {"PER", "PER · lost: unaligned", "LOC · too long", "ORG · wrong label"} <= set(
        page.texts
    )
    kinds = [value.split("\n") for name, value in page.attributes if name == "data-kinds"]
    assert kinds[2] == ["missing", "translation copied", "untranslated"]


def test_the_audit_as_json_holds_languages_settings_and_all_numbers(cases):
    text, _ = audit_texts(cases, source="en", target="es", settings={"aligner": "hmm"})
    content = json.loads(text)
    assert content.pop("languages") == {"source": "en", "target": "es"}
    assert content.pop("settings") == {"aligner": "hmm"}
    assert content == json.loads(json.dumps(measure(cases)))


def _gold(*sentences):
    made = tuple(
        Sentence(f"es-{k}", "es", tuple(text.split()), (Span(0, 1, "PER"),))
        for k, text in enumerate(sentences)
    )
    return Corpus("es", made, tuple(one.tokens for one in made), tuple(range(len(made))))


def test_gold_may_have_a_block_for_each_block_or_for_each_labelled_one():
    translations = [" ".join(pair.target) for pair in (ANNA, BERG, COPY)]
    by_block = [translations[0], "DOC", *translations[1:]]
    for gold in (_gold(*translations), _gold(*by_block)):
        assert set(gold_of(CORPUS, gold, Path("g"))) == {"en-0", "en-2", "en-3"}
    with pytest.raises(InputError, match=r"g: expected 4 gold blocks .* or 3 .*, got 2"):
        gold_of(CORPUS, _gold(*translations[:2]), Path("g"))
    with pytest.raises(InputError, match=r"g: block 1 has the words 'Ana fue a Oslo', but"):
        gold_of(CORPUS, _gold("Ana fue a Oslo", *translations[1:]), Path("g"))

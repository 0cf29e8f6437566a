"""Parts of speech and predicates: what is accepted and what is refused."""

import pytest

from projection.errors import InputError
from projection.inputs import UPOS, Input, check_inputs, pos_ids
from projection.jsonl import write_sentences
from projection.records import Sentence, Span
from projection.tasks import TASKS

BOTH = (Input.POS, Input.PREDICATE)


def test_a_sentence_without_pos_and_predicate_is_written_without_them(tmp_path):
    write_sentences([Sentence("en-0", "en", ("Oslo",))], tmp_path / "one.jsonl")
    written = (tmp_path / "one.jsonl").read_text()
    assert written == '{"id": "en-0", "language": "en", "tokens": ["Oslo"], "spans": []}\n'


def test_there_are_seventeen_universal_pos_tags_each_with_its_own_id():
    assert pos_ids(UPOS) == list(range(17))


def test_the_conjunction_of_universal_dependencies_1_and_an_empty_cell_have_a_tag():
    assert pos_ids(["CONJ", "_"]) == pos_ids(["CCONJ", "X"])


@pytest.mark.parametrize("tag", ["", "NN", "noun"])
def test_another_pos_tag_is_refused_and_named(tag):
    sentence = Sentence("en-3", "en", ("Rail", "runs"), (), (tag, "VERB"), 1)
    with pytest.raises(InputError, match=f"sentence en-3: '{tag}' is no universal POS tag"):
        check_inputs([sentence], BOTH)


def test_a_sentence_that_lacks_an_input_is_refused_with_its_name():
    tagged = Sentence("en-4", "en", ("Rail",), (), ("NOUN",))
    bare = Sentence("en-5", "en", ("Rail",), predicate=0)
    with pytest.raises(InputError, match="sentence en-4 has no predicate"):
        check_inputs([tagged], BOTH)
    with pytest.raises(InputError, match="sentence en-5 has no POS tags"):
        check_inputs([bare], BOTH)
    check_inputs([tagged], [Input.POS])
    check_inputs([tagged, bare], [])


def test_a_record_refuses_pos_tags_and_predicates_that_do_not_fit_its_words():
    with pytest.raises(ValueError, match="1 words but 2 POS tags"):
        Sentence("en-0", "en", ("Rail",), pos=("NOUN", "VERB"))
    with pytest.raises(ValueError, match="1 words but its predicate is word 1"):
        Sentence("en-0", "en", ("Rail",), predicate=1)
    with pytest.raises(ValueError, match="predicate is word -1"):
        Sentence("en-0", "en", ("Rail",), predicate=-1)


def test_the_roles_of_srl_are_those_of_the_training_corpus_in_alphabetical_order():
    corpus = [
        Sentence("en-0", "en", ("a", "b"), (Span(0, 1, "R-A0"), Span(1, 2, "A1"))),
        Sentence("en-1", "en", ("a",), (Span(0, 1, "A0"),)),
    ]
    assert TASKS["srl"].labels_in(corpus) == ("A0", "A1", "R-A0")
    assert TASKS["ner"].labels_in(corpus) == ("PER", "LOC", "ORG", "MISC")


def test_a_training_corpus_without_labels_decides_nothing():
    with pytest.raises(InputError, match="cannot decide the labels of srl"):
        TASKS["srl"].labels_in([Sentence("en-0", "en", ("a", "b"))])

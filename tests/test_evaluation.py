"""Scores of a model are seqeval's in strict mode, and words it could not read count as O."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from seqeval.metrics import classification_report, f1_score
from seqeval.scheme import IOBES

from projection.records import Span
from tests.examples import EVERYTHING, LABELS, TAGS, encoded, sentence, tagger
from trainers import evaluation
from trainers.backbones import load_tokenizer
from trainers.encoding import encode_corpus
from trainers.evaluation import evaluate, predict_spans, predict_tags


@pytest.fixture
def model(tiny_bert):
    """Its output layer is drawn so wide that its predictions are varied and often ill-formed."""
    model = tagger(tiny_bert)
    with torch.no_grad():
        model.output.weight.normal_(0, 5, generator=torch.Generator().manual_seed(3))
    return model


def predicted_tags(model, corpus):
    return [[TAGS.tags[tag] for tag in tags] for tags in predict_tags(model, corpus)]


def partly_right(one, tags):
    """``one`` with the prediction of every odd word that is S-, and a label on every fourth."""
    labels = {j: tag[2:] for j, tag in enumerate(tags) if j % 2 and tag[0] == "S"}
    labels |= {j: LABELS[j % 3] for j in range(0, len(tags), 4)}
    return replace(one, spans=tuple(Span(j, j + 1, labels[j]) for j in sorted(labels)))


@pytest.fixture
def scored(model, tiny_bert):
    """A corpus whose gold labels the model gets partly right, gold tags and predicted tags."""
    predicted = predicted_tags(model, encoded(tiny_bert))
    gold = [partly_right(*pair) for pair in zip(EVERYTHING, predicted, strict=True)]
    written = [["O"] * len(one.tokens) for one in gold]
    for one, tags in zip(gold, written, strict=True):
        for span in one.spans:
            tags[span.start] = f"S-{span.label}"
    return encoded(tiny_bert, gold), written, predicted


def test_predictions_include_tags_that_are_no_whole_chunk(scored):
    """Otherwise strict and lenient scores would be the same here."""
    strict = f1_score(*scored[1:], mode="strict", scheme=IOBES)
    assert strict != pytest.approx(f1_score(*scored[1:]), rel=1e-3)


def test_micro_scores_are_those_of_seqeval_in_strict_mode(model, scored):
    corpus, gold, predicted = scored
    report = classification_report(
        gold, predicted, mode="strict", scheme=IOBES, output_dict=True, zero_division=0
    )
    micro, theirs = evaluate(model, corpus, TAGS).micro, report["micro avg"]
    assert 0 < micro.f1 < 100
    assert micro.f1 == pytest.approx(100 * theirs["f1-score"])
    assert micro.precision == pytest.approx(100 * theirs["precision"])
    assert micro.recall == pytest.approx(100 * theirs["recall"])
    assert micro.gold == theirs["support"]


def test_scores_of_every_label_are_those_of_seqeval_in_strict_mode(model, scored):
    corpus, gold, predicted = scored
    report = classification_report(
        gold, predicted, mode="strict", scheme=IOBES, output_dict=True, zero_division=0
    )
    labels = evaluate(model, corpus, TAGS).labels
    assert list(labels) == sorted(LABELS)
    for label, score in labels.items():
        assert score.f1 == pytest.approx(100 * report[label]["f1-score"])
        assert score.gold == report[label]["support"]


def test_words_that_were_cut_are_predicted_as_o_and_their_gold_spans_count(model, tiny_bert):
    whole = sentence("en", "Anna Oslo Lima Bergen", *((j, j + 1, "LOC") for j in range(4)))
    cut = encoded(tiny_bert, [whole], max_pieces=4)  # room for two words
    model.output.weight.data.zero_()
    model.output.bias.data[TAGS.tags.index("S-LOC")] = 1
    assert predicted_tags(model, cut) == [["S-LOC", "S-LOC", "O", "O"]]
    score = evaluate(model, cut, TAGS).micro
    assert (score.correct, score.predicted, score.gold) == (2, 2, 4)


def test_predictions_are_in_corpus_order_however_many_fit_into_a_batch(
    model, tiny_bert, monkeypatch
):
    corpus = encoded(tiny_bert)
    at_once = predicted_tags(model, corpus)
    assert [len(tags) for tags in at_once] == [len(one.tokens) for one in EVERYTHING]
    monkeypatch.setattr(evaluation, "PIECES_PER_BATCH", 20)
    assert predicted_tags(model, corpus) == at_once


def test_predicting_uses_no_dropout_and_needs_no_labels(model, tiny_bert):
    unlabelled = encode_corpus(EVERYTHING, load_tokenizer(tiny_bert), None, max_pieces=128)
    torch.manual_seed(1)
    first = predict_tags(model.train(), unlabelled)
    second = predict_tags(model.train(), encoded(tiny_bert))
    assert all(np.array_equal(*pair) for pair in zip(first, second, strict=True))


def test_predicted_spans_are_the_whole_chunks_of_the_predicted_tags(model, tiny_bert):
    """Weights that see nothing: every word has the tag with the greatest bias."""
    corpus = encoded(tiny_bert, EVERYTHING[2:3])
    model.output.weight.data.zero_()
    for tag, spans in (("S-PER", [Span(j, j + 1, "PER") for j in range(3)]), ("I-PER", [])):
        model.output.bias.data.zero_()[TAGS.tags.index(tag)] = 1
        assert predict_spans(model, corpus, TAGS) == [spans]


def test_a_corpus_without_labels_is_not_scored(model, tiny_bert):
    hidden = encode_corpus(EVERYTHING, load_tokenizer(tiny_bert), None, max_pieces=40)
    with pytest.raises(ValueError, match="without labels"):
        evaluate(model, hidden, TAGS)

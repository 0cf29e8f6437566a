"""Semantic roles: POS tags and the predicate reach the model, and the model learns from them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from projection.errors import InputError
from projection.inputs import Input, pos_ids
from projection.records import Sentence, Span
from projection.schemes import TagScheme
from projection.scoring import score_spans
from tests.examples import tagger as word_tagger
from trainers.backbones import BackboneSettings, load_tokenizer
from trainers.collation import collate
from trainers.encoding import EncodedCorpus, TagVocabulary, encode_corpus
from trainers.evaluation import evaluate, predict_spans
from trainers.flat import FlatModel
from trainers.settings import TaggerSettings, TrainSettings, WarmupSettings
from trainers.tagger import build_tagger
from trainers.training import FineTuner
from trainers.vocabulary import kept_pieces, renumber, trim_encoder
from trainers.warmup import WholeStart
from trainers.worker import LanguageWorker

BOTH = (Input.POS, Input.PREDICATE)
TAGS = TagVocabulary.of(("A0", "A1", "AM-TMP"), TagScheme.OI)
CPU = torch.device("cpu")


def clause(text, pos, predicate, *roles):
    """Words and POS tags are separated by spaces; a role is ``(word, label)``."""
    spans = tuple(Span(word, word + 1, label) for word, label in roles)
    return Sentence(text, "en", tuple(text.split()), spans, tuple(pos.split()), predicate)


TWO_VERBS = "Anna visited Oslo and Ana besuchte Bergen on Friday"
TWO_VERBS_POS = "PROPN VERB PROPN CCONJ PROPN VERB PROPN ADP PROPN"
CORPUS = (
    clause(TWO_VERBS, TWO_VERBS_POS, 1, (0, "A0"), (2, "A1")),
    clause(TWO_VERBS, TWO_VERBS_POS, 5, (4, "A0"), (6, "A1"), (8, "AM-TMP")),
    clause("the team salieron de Lima .", "DET NOUN VERB ADP PROPN PUNCT", 2, (1, "A0")),
    clause("con el equipo", "ADP DET NOUN", 2),
)


def encoded(folder, sentences=CORPUS, *, inputs=BOTH, max_pieces=128):
    tokenizer = load_tokenizer(folder)
    return encode_corpus(sentences, tokenizer, TAGS, max_pieces=max_pieces, inputs=inputs)


def tagger(folder, *, inputs=BOTH, seed=1, dropout=0.0, pos_size=4):
    settings = BackboneSettings(name="tiny", num_layers=2, dropout=dropout)
    sizes = TaggerSettings(pos_size=pos_size)
    return build_tagger(folder, settings, len(TAGS.tags), seed=seed, inputs=inputs, beside=sizes)


def trained(folder, corpus, steps=200):
    """A model after some steps on a corpus, and its loss at each."""
    settings = TrainSettings(
        learning_rate=0.01, batch_size=4, steps=steps, select_after=0, evaluate_every=steps
    )
    tuner = FineTuner(tagger(folder), corpus, settings, seed=1)
    return tuner.tagger, [tuner.step(step) for step in range(steps)]


def test_pos_and_predicate_of_every_word_and_sentence_are_encoded(tiny):
    corpus = encoded(tiny)
    assert corpus.predicate.tolist() == [1, 5, 2, 2]
    assert corpus.pos.tolist() == [tag for one in CORPUS for tag in pos_ids(one.pos)]
    assert len(corpus.pos) == len(corpus.tags)


def test_a_corpus_without_inputs_has_neither_pos_nor_predicate(tiny, tmp_path):
    corpus = encoded(tiny, inputs=())
    corpus.save(tmp_path / "corpus.safetensors")
    for one in (corpus, EncodedCorpus.load(tmp_path / "corpus.safetensors")):
        assert one.pos is None
        assert one.predicate is None
        assert one.num_cut_predicates == 0


def test_pos_and_predicate_survive_saving_and_concatenating(tiny, tmp_path):
    parts = [encoded(tiny, CORPUS[:1]), encoded(tiny, CORPUS[1:])]
    EncodedCorpus.concatenate(parts).save(tmp_path / "corpus.safetensors")
    read, together = EncodedCorpus.load(tmp_path / "corpus.safetensors"), encoded(tiny)
    for name in ("pos", "predicate"):
        assert getattr(read, name).dtype == np.int32
        assert getattr(read, name).tolist() == getattr(together, name).tolist()


def test_corpora_with_and_without_pos_are_not_concatenated(tiny):
    with pytest.raises(ValueError, match="1 of 2 corpora have POS tags"):
        EncodedCorpus.concatenate([encoded(tiny), encoded(tiny, inputs=[Input.PREDICATE])])


def test_a_sentence_without_its_predicate_is_not_encoded(tiny):
    bare = replace(CORPUS[0], predicate=None)
    with pytest.raises(InputError, match="has no predicate"):
        encoded(tiny, [CORPUS[1], bare])


def test_a_predicate_beyond_the_cut_flags_no_word_and_is_counted(tiny):
    corpus = encoded(tiny, CORPUS[:2], max_pieces=6)
    assert corpus.firsts_of(1).size < 5
    assert corpus.num_cut_predicates == 1
    batch = collate(corpus, np.array([1, 0]), 0, CPU)
    read = corpus.firsts_of(1).size
    assert batch.predicate_N.tolist()[:read] == [0.0] * read
    assert batch.predicate_N.tolist()[read : read + 2] == [0.0, 1.0]


def test_a_batch_has_the_pos_and_the_flag_of_every_word_in_its_order(tiny):
    batch = collate(encoded(tiny), np.array([3, 2]), 0, CPU)
    assert batch.pos_N.tolist() == pos_ids(CORPUS[3].pos + CORPUS[2].pos)
    assert batch.predicate_N.tolist() == [0, 0, 1, 0, 0, 1, 0, 0, 0]


def test_without_inputs_a_tagger_has_the_parameters_it_always_had(tiny):
    names = [name for name, _ in word_tagger(tiny).named_parameters()]
    assert names[-2:] == ["output.weight", "output.bias"]
    assert not [name for name in names if not name.startswith(("encoder.", "output."))]


def test_the_inputs_weights_depend_on_the_seed_alone(tiny):
    torch.manual_seed(7)
    one = tagger(tiny, seed=1)
    torch.manual_seed(8)
    same, other = tagger(tiny, seed=1), tagger(tiny, seed=2)
    for name in ("pos.weight", "predicate", "output.weight"):
        ours = one.get_parameter(name)
        assert torch.equal(ours, same.get_parameter(name))
        assert not torch.equal(ours, other.get_parameter(name))


def test_the_encoder_reads_embeddings_as_it_reads_piece_ids(tiny):
    """With a predicate embedding of zero, the scores are those of a tagger that has none."""
    flagged, plain = tagger(tiny, inputs=[Input.PREDICATE]).eval(), tagger(tiny, inputs=()).eval()
    corpus = encoded(tiny)
    batch = collate(corpus, np.arange(len(corpus)), flagged.padding, CPU)
    with torch.no_grad():
        flagged.predicate.zero_()
        torch.testing.assert_close(flagged(batch), plain(batch), rtol=1e-5, atol=1e-7)


@torch.no_grad()
def test_the_predicate_changes_the_scores_of_the_other_words(tiny):
    model = tagger(tiny).eval()
    corpus = encoded(tiny)
    left, right = (model(collate(corpus, np.array([k]), model.padding, CPU)) for k in (0, 1))
    assert ((left - right).abs().amax(dim=1) > 1e-6).all()


@torch.no_grad()
def test_the_pos_of_a_word_changes_the_scores_of_that_word_alone(tiny):
    model = tagger(tiny).eval()
    other = replace(CORPUS[3], pos=("ADP", "PRON", "NOUN"))
    corpus = encoded(tiny, [CORPUS[3], other])
    left, right = (model(collate(corpus, np.array([k]), model.padding, CPU)) for k in (0, 1))
    assert (left != right).any(dim=1).tolist() == [False, True, False]


def test_flat_gradients_with_inputs_equal_those_of_ordinary_autograd(tiny):
    plain, flattened, corpus = tagger(tiny), tagger(tiny), encoded(tiny)
    flat = FlatModel(flattened, sparse_rows=flattened.word_embedding)
    batch = collate(corpus, np.arange(len(corpus)), plain.padding, CPU)
    plain.loss(batch).backward()
    flattened.loss(batch).backward()
    table = plain.word_embedding.weight
    table_last = [*(each for each in plain.parameters() if each is not table), table]
    expected = torch.cat([parameter.grad.flatten() for parameter in table_last])
    torch.testing.assert_close(flat.gradients, expected, rtol=1e-5, atol=1e-8)
    for name in ("pos.weight", "predicate"):
        assert flattened.get_parameter(name).grad.norm() > 0


def test_training_a_trimmed_model_with_inputs_gives_bitwise_the_weights_of_the_full_one(tiny):
    corpus = encoded(tiny, CORPUS[:2])
    kept = kept_pieces([corpus.pieces], load_tokenizer(tiny))
    full, trimmed = tagger(tiny), tagger(tiny)
    trim_encoder(trimmed.encoder, kept)
    renumbered = replace(corpus, pieces=renumber(corpus.pieces, kept))
    settings = TrainSettings(
        learning_rate=0.01, batch_size=2, steps=4, select_after=0, evaluate_every=4
    )
    for model, data in ((full, corpus), (trimmed, renumbered)):
        tuner = FineTuner(model, data, settings, seed=1)
        for step in range(4):
            tuner.step(step)
    ours = dict(trimmed.named_parameters())
    for name, theirs in full.named_parameters():
        whole = theirs is full.word_embedding.weight
        assert torch.equal(ours[name], theirs[torch.from_numpy(kept).long()] if whole else theirs)


def test_overfitting_gives_the_two_predicates_of_a_sentence_their_own_arguments(tiny):
    corpus = encoded(tiny)
    model, losses = trained(tiny, corpus)
    assert losses[-1] < losses[0] / 10
    assert predict_spans(model, corpus, TAGS) == [list(one.spans) for one in CORPUS]
    assert evaluate(model, corpus, TAGS).micro.f1 == 100.0


def test_training_twice_gives_bitwise_the_same_weights(tiny):
    corpus = encoded(tiny)
    first, second = (trained(tiny, corpus, steps=5) for _ in range(2))
    assert first[1] == second[1]
    for ours, theirs in zip(first[0].parameters(), second[0].parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_warm_up_moves_the_embeddings_of_the_inputs(tiny):
    model = tagger(tiny)
    before = {name: model.get_parameter(name).clone() for name in ("pos.weight", "predicate")}
    settings = WarmupSettings(steps=3, inner_lr=0.1)
    worker = LanguageWorker(model, lambda _: encoded(tiny), settings, batch_size=2, seed=1)
    start = WholeStart(worker.parameters.clone(), worker.layout)
    ends = [worker.run_steps(start, 0, "es").dense.clone() for _ in range(2)]
    assert torch.equal(*ends)
    for name, old in before.items():
        assert not torch.equal(model.get_parameter(name), old)


def test_neighbouring_words_of_one_role_count_as_two_arguments():
    gold = [Span(0, 1, "A1"), Span(1, 2, "A1")]
    ids = TAGS.encode(gold, 3)
    assert TAGS.decode(ids) == gold
    scores = score_spans([TAGS.decode(ids)], [[Span(0, 2, "A1")]])
    assert (scores.micro.correct, scores.micro.gold, scores.micro.predicted) == (0, 2, 1)
    assert score_spans([gold], [gold[1:]]).micro.recall == 50.0


def test_the_same_words_under_another_predicate_are_scored_apart():
    gold = [[Span(0, 1, "A0")], [Span(2, 3, "A0")]]
    swapped = score_spans(gold, gold[::-1])
    assert (swapped.micro.correct, swapped.micro.gold, swapped.micro.predicted) == (0, 2, 2)

"""Corpora in pieces: where words begin, what is cut, and what a word weighs in the loss."""

import math
from dataclasses import fields

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from tests.examples import DUTCH, ENGLISH, EVERYTHING, GERMAN, TAGS, encoded, sentence, tagger
from trainers.backbones import load_tokenizer
from trainers.collation import collate
from trainers.encoding import UNLABELLED, EncodedCorpus, encode_corpus
from trainers.evaluation import predict_tags

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bert(tiny_bert):
    return load_tokenizer(tiny_bert)


@pytest.fixture(scope="module")
def unigram():
    """XLM-R's kind of tokenizer with a vocabulary that is written here and not learnt."""
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    pieces = [*special, "▁", "▁An", "na", "O", "s", "lo", "▁Ma", "ri", "e", "ke"]
    model = models.Unigram([(piece, -1.0) for piece in pieces], unk_id=3)
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens(special)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


def encode(tokenizer, *sentences, max_pieces=128):
    """The corpus, and its pieces separated by spaces."""
    corpus = encode_corpus(sentences, tokenizer, TAGS, max_pieces=max_pieces)
    return corpus, " ".join(tokenizer.convert_ids_to_tokens(corpus.pieces.tolist()))


def assert_same(left, right):
    for field in fields(EncodedCorpus):
        ours, theirs = getattr(left, field.name), getattr(right, field.name)
        if theirs is None:
            assert ours is None
            continue
        assert ours.dtype == theirs.dtype
        assert ours.tolist() == theirs.tolist()


def test_words_begin_at_their_first_wordpiece(bert):
    corpus, pieces = encode(bert, sentence("en", "Anna visited Oslo. Lima", (0, 1, "PER")))
    assert pieces == "[CLS] Anna visited Oslo . Lima [SEP]"
    assert corpus.firsts.tolist() == [1, 2, 3, 5]
    assert [TAGS.tags[tag] for tag in corpus.tags] == ["S-PER", "O", "O", "O"]


def test_words_begin_at_their_first_unigram_piece(unigram):
    corpus, pieces = encode(unigram, sentence("en", "Anna Oslo Marieke", (0, 1, "PER")))
    assert pieces == "<s> ▁An na ▁ O s lo ▁Ma ri e ke </s>"
    assert corpus.firsts.tolist() == [1, 3, 7]
    assert [TAGS.tags[tag] for tag in corpus.tags] == ["S-PER", "O", "O"]


def test_every_sentence_has_its_own_pieces_words_and_tags(unigram):
    corpus, pieces = encode(unigram, sentence("en", "Anna Anna"), sentence("en", "Oslo"))
    assert pieces == "<s> ▁An na ▁An na </s> <s> ▁ O s lo </s>"
    assert corpus.lengths.tolist() == [6, 6]
    assert corpus.firsts.tolist() == [1, 3, 1]
    assert [ends.tolist() for ends in (corpus.first_ends, corpus.tag_ends)] == [[2, 3], [2, 3]]


def test_a_word_without_pieces_becomes_one_unknown_piece(bert):
    corpus, pieces = encode(bert, sentence("en", "Anna \u200b Oslo", (1, 3, "LOC")))
    assert pieces == "[CLS] Anna [UNK] Oslo [SEP]"
    assert corpus.firsts.tolist() == [1, 2, 3]
    assert corpus.num_cut_words == 0


def test_a_sentence_of_words_without_pieces_stays_between_the_special_pieces(bert):
    corpus, pieces = encode(bert, sentence("en", "\u200b \ufeff"))
    assert pieces == "[CLS] [UNK] [UNK] [SEP]"
    assert corpus.firsts.tolist() == [1, 2]


def test_a_long_sentence_is_cut_at_a_word_and_its_cut_words_keep_their_gold_tags(unigram):
    one = sentence("en", "Anna Oslo Marieke", (0, 1, "PER"), (2, 3, "PER"))
    corpus, pieces = encode(unigram, one, max_pieces=11)  # one too few for "Marieke"
    assert pieces == "<s> ▁An na ▁ O s lo </s>"
    assert corpus.firsts.tolist() == [1, 3]
    assert corpus.num_cut_words == 1
    assert [TAGS.tags[tag] for tag in corpus.tags_of(0)] == ["S-PER", "O", "S-PER"]
    assert encode(unigram, one, max_pieces=12)[0].num_cut_words == 0


def test_words_after_a_cut_one_are_cut_even_if_they_would_fit(unigram):
    corpus, pieces = encode(unigram, sentence("en", "Anna Marieke Anna"), max_pieces=7)
    assert pieces == "<s> ▁An na </s>"
    assert corpus.num_cut_words == 2


def test_a_corpus_without_tags_shows_none_of_its_labels(tiny):
    corpus = encode_corpus(GERMAN, load_tokenizer(tiny), None, max_pieces=128)
    assert set(corpus.tags.tolist()) == {UNLABELLED}
    assert [len(corpus.tags_of(k)) for k in range(2)] == [10, 4]


def test_concatenating_corpora_is_encoding_them_together(tiny):
    parts = [encoded(tiny, part, max_pieces=20) for part in (ENGLISH, GERMAN, DUTCH)]
    together = encoded(tiny, ENGLISH + GERMAN + DUTCH, max_pieces=20)
    assert_same(EncodedCorpus.concatenate(parts), together)


def test_a_corpus_read_back_is_the_one_saved(tiny, tmp_path):
    corpus = encoded(tiny, max_pieces=20)
    corpus.save(tmp_path / "corpus.safetensors")
    assert_same(EncodedCorpus.load(tmp_path / "corpus.safetensors"), corpus)


def test_a_batch_is_padded_and_masked_and_indexes_its_words(tiny_bert):
    corpus = encoded(tiny_bert, [ENGLISH[2], sentence("es", "¿ Quién ?"), sentence("en", "Lima")])
    batch = collate(corpus, np.array([2, 0]), 0, CPU)
    lima, anna, visited = load_tokenizer(tiny_bert).convert_tokens_to_ids(
        ["Lima", "Anna", "visited"]
    )
    assert batch.piece_ids_BP.tolist() == [[2, lima, 3, 0, 0], [2, anna, visited, lima, 3]]
    assert batch.piece_mask_BP.tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert batch.first_N.tolist() == [1, 5 + 1, 5 + 2, 5 + 3]
    assert [TAGS.tags[tag] for tag in batch.tags_N] == ["O", "S-PER", "O", "S-LOC"]
    assert batch.weights_N.tolist() == pytest.approx([1 / 2, 1 / 6, 1 / 6, 1 / 6])


def test_the_weights_of_a_batch_sum_to_one(tiny):
    corpus = encoded(tiny, max_pieces=20)
    weights = collate(corpus, np.arange(len(corpus)), 0, CPU).weights_N
    assert float(weights.double().sum()) == pytest.approx(1, abs=1e-6)


@torch.no_grad()
def test_the_loss_is_the_mean_over_sentences_of_the_mean_over_words(tiny):
    """Eq. 3 as a plain loop, each sentence on its own."""
    model = tagger(tiny).eval()
    corpus = encoded(tiny)
    of_sentences = []
    for k, one in enumerate(EVERYTHING):
        scores = model(collate(corpus, np.array([k]), model.padding, CPU)).double()
        chances = scores.exp() / scores.exp().sum(1, keepdim=True)
        words = [-math.log(chances[j, tag]) for j, tag in enumerate(corpus.tags_of(k))]
        assert len(words) == len(one.tokens)
        of_sentences.append(sum(words) / len(words))
    together = model.loss(collate(corpus, np.arange(len(corpus)), model.padding, CPU))
    assert float(together) == pytest.approx(sum(of_sentences) / len(of_sentences), rel=1e-5)


def test_scores_do_not_depend_on_the_batch_a_sentence_is_in(tiny):
    model = tagger(tiny, num_layers=3).eval()
    corpus = encoded(tiny)
    alone = [model(collate(corpus, np.array([k]), model.padding, CPU)) for k in range(len(corpus))]
    together = model(collate(corpus, np.arange(len(corpus)), model.padding, CPU))
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-6)


def test_predicted_tags_are_the_best_of_every_sentence_alone(tiny):
    model = tagger(tiny).eval()
    with torch.no_grad():
        model.output.weight.normal_(0, 5, generator=torch.Generator().manual_seed(3))
    corpus = encoded(tiny)
    for k, tags in enumerate(predict_tags(model, corpus)):
        scores = model(collate(corpus, np.array([k]), model.padding, CPU))
        assert tags.tolist() == scores.argmax(1).tolist()

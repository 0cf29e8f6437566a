"""Trimming the vocabulary loses nothing: the trimmed model trains to the weights of the full one.

The embedding rows that no sentence uses get no gradient, so neither Adam nor SGD moves them.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.examples import ENGLISH, GERMAN, encoded, tagger
from trainers.backbones import load_tokenizer
from trainers.settings import TrainSettings, WarmupSettings
from trainers.training import FineTuner
from trainers.vocabulary import kept_pieces, renumber, restore_embedding, trim_encoder
from trainers.warmup import WholeStart
from trainers.worker import LanguageWorker

STEPS = 6


def train_with_adam(model, corpus):
    settings = TrainSettings(
        learning_rate=1e-3, batch_size=2, steps=STEPS, select_after=0, evaluate_every=1
    )
    tuner = FineTuner(model, corpus, settings, seed=1)
    for step in range(STEPS):
        tuner.step(step)


def train_with_sgd(model, corpus):
    settings = WarmupSettings(steps=STEPS, inner_lr=0.1)
    worker = LanguageWorker(model, lambda _: corpus, settings, batch_size=2, seed=1)
    worker.run_steps(WholeStart(worker.parameters.clone(), worker.layout), 0, "de")


@pytest.fixture(params=[train_with_adam, train_with_sgd])
def trained(request, tiny):
    """A full and a trimmed model trained alike, the full one's embedding before, and the rows."""
    corpus = encoded(tiny, ENGLISH[1:] + GERMAN)
    kept = kept_pieces([corpus.pieces], load_tokenizer(tiny))
    full, trimmed = tagger(tiny, num_layers=2), tagger(tiny, num_layers=2)
    before = full.word_embedding.weight.detach().clone()
    trim_encoder(trimmed.encoder, kept)
    request.param(full, corpus)
    request.param(trimmed, replace(corpus, pieces=renumber(corpus.pieces, kept)))
    return full, trimmed, before, torch.from_numpy(kept).long()


def test_training_a_trimmed_model_gives_bitwise_the_weights_of_the_full_one(trained):
    full, trimmed, before, kept = trained
    assert len(kept) < len(before)
    ours = dict(trimmed.named_parameters())
    for name, theirs in full.named_parameters():
        expected = theirs[kept] if theirs is full.word_embedding.weight else theirs
        assert torch.equal(ours[name], expected), name


def test_training_the_full_model_moves_the_kept_rows_and_no_other(trained):
    full, _, before, kept = trained
    moved = (full.word_embedding.weight != before).any(dim=1).nonzero().flatten().tolist()
    assert set(moved) <= set(kept.tolist())
    assert len(moved) > len(kept) / 2


def test_restoring_the_embedding_gives_that_of_the_full_model(trained):
    full, trimmed, before, kept = trained
    restored = restore_embedding(trimmed.word_embedding.weight, before, kept.numpy())
    assert torch.equal(restored, full.word_embedding.weight)


def test_a_trimmed_model_gives_bitwise_the_scores_of_the_full_one(trained):
    full, trimmed, _, kept = trained
    rows = torch.arange(len(kept)).unsqueeze(0)
    states = [
        model.encoder.eval()(input_ids=ids).last_hidden_state
        for model, ids in ((full, kept.unsqueeze(0)), (trimmed, rows))
    ]
    assert torch.equal(*states)


def test_used_special_and_padding_pieces_are_kept_in_ascending_order(tiny):
    tokenizer = load_tokenizer(tiny)
    used = [np.array([40, 9, 40], dtype=np.int32), np.array([12], dtype=np.int32)]
    assert kept_pieces(used, tokenizer).tolist() == [0, 1, 2, 3, 4, 9, 12, 40]


def test_padding_keeps_its_id(tiny):
    tokenizer = load_tokenizer(tiny)
    kept = kept_pieces([np.array([50], dtype=np.int32)], tokenizer)
    padding = np.array([tokenizer.pad_token_id], dtype=np.int32)
    assert renumber(padding, kept).tolist() == padding.tolist()
    model = tagger(tiny)
    trim_encoder(model.encoder, kept)
    assert model.padding == model.word_embedding.padding_idx == tokenizer.pad_token_id


def test_pieces_before_padding_are_kept_although_unused(tiny_bert):
    tokenizer = load_tokenizer(tiny_bert)
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(8)
    used = [np.array([20], dtype=np.int32)]
    assert kept_pieces(used, tokenizer).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 20]


def test_renumbering_gives_the_row_of_every_piece():
    kept = np.array([0, 3, 4, 9], dtype=np.int32)
    pieces = np.array([9, 0, 4, 3, 9], dtype=np.int32)
    assert renumber(pieces, kept).tolist() == [3, 0, 2, 1, 3]


@pytest.mark.parametrize("unknown", [1, 5, 10])
def test_a_piece_that_was_not_kept_is_refused(unknown):
    kept = np.array([0, 3, 4, 9], dtype=np.int32)
    with pytest.raises(ValueError, match="encode all corpora before trimming"):
        renumber(np.array([3, unknown], dtype=np.int32), kept)

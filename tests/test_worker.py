"""What a language worker returns depends on what it is asked, never on what it did before."""

import math
import re

import numpy as np
import pytest
import torch

import trainers.worker as worker_module
from tests.examples import DUTCH, GERMAN, SPANISH, encoded, tagger
from trainers.collation import collate
from trainers.errors import TrainingDivergedError
from trainers.warmup import WarmupSettings
from trainers.worker import LanguageWorker

SENTENCES = {"de": GERMAN, "es": SPANISH, "nl": DUTCH}
SETTINGS = WarmupSettings(steps=3, inner_lr=0.05)


def worker_of(folder, *languages, settings=SETTINGS, seed=1, dropout=0.1, batch_size=1):
    corpora = {language: encoded(folder, SENTENCES[language]) for language in languages}
    model = tagger(folder, dropout=dropout)
    return LanguageWorker(model, corpora, settings, batch_size=batch_size, seed=seed)


def assert_same(ours, theirs):
    assert [end.language for end in ours] == [end.language for end in theirs]
    for left, right in zip(ours, theirs, strict=True):
        assert torch.equal(left.parameters, right.parameters)
        assert left.loss == right.loss


@pytest.fixture
def expected(tiny_xlmr):
    """Spanish in round 2, by a worker that holds Spanish alone and did nothing before."""
    worker = worker_of(tiny_xlmr, "es")
    start = worker.parameters.clone()
    return start, worker.run_steps(start, 1, ["es"])


def test_an_end_does_not_depend_on_which_other_languages_the_worker_holds(tiny_xlmr, expected):
    start, alone = expected
    worker = worker_of(tiny_xlmr, "nl", "es", "de")
    for languages in (["de", "nl", "es"], ["es", "de"]):
        ends = worker.run_steps(start, 1, languages)
        assert [end.language for end in ends] == languages
        assert_same([end for end in ends if end.language == "es"], alone)


def test_an_end_does_not_depend_on_the_calls_before_it(tiny_xlmr, expected):
    start, alone = expected
    worker = worker_of(tiny_xlmr, "es", "nl")
    for z, languages in ((4, ["nl"]), (0, ["es"]), (1, ["es", "nl"])):
        worker.run_steps(torch.randn(len(start)) / 10, z, languages)
    torch.manual_seed(99)
    assert_same(worker.run_steps(start, 1, ["es"]), alone)


def test_a_call_changes_neither_the_sent_parameters_nor_an_earlier_end(tiny_xlmr, expected):
    start, _ = expected
    sent = start.clone()
    worker = worker_of(tiny_xlmr, "es", "nl")
    [end] = worker.run_steps(sent, 1, ["es"])
    earlier = end.parameters.clone()
    worker.run_steps(sent, 2, ["nl", "es"])
    assert torch.equal(sent, start)
    assert torch.equal(end.parameters, earlier)


def test_rounds_and_seeds_differ_in_batches_and_dropout(tiny_xlmr, expected):
    start, [end] = expected
    [next_round] = worker_of(tiny_xlmr, "es").run_steps(start, 2, ["es"])
    [other_seed] = worker_of(tiny_xlmr, "es", seed=2).run_steps(start, 1, ["es"])
    assert not torch.equal(next_round.parameters, end.parameters)
    assert not torch.equal(other_seed.parameters, end.parameters)


def test_dropout_is_drawn_anew_for_every_round(tiny):
    """With all sentences in every batch only dropout tells the rounds apart."""

    def losses(dropout):
        worker = worker_of(tiny, "de", dropout=dropout, batch_size=2)
        start = worker.parameters.clone()
        return [worker.run_steps(start, z, ["de"])[0].loss for z in (0, 1)]

    with_dropout, without = losses(0.3), losses(0.0)
    assert with_dropout[0] != pytest.approx(with_dropout[1], rel=1e-4)
    assert without[0] == pytest.approx(without[1], rel=1e-4)


def test_rounds_go_on_through_the_corpus_where_the_last_one_stopped(tiny):
    """One step of one sentence a round: as many rounds as sentences have the loss of each."""
    settings = WarmupSettings(steps=1, inner_lr=1e-12)
    worker = worker_of(tiny, "es", settings=settings, dropout=0.0, batch_size=1)
    start = worker.parameters.clone()
    of_rounds = [worker.run_steps(start, z, ["es"])[0].loss for z in range(3)]
    model, corpus = tagger(tiny, dropout=0.0), encoded(tiny, SPANISH)
    batches = [collate(corpus, np.array([k]), model.padding, torch.device("cpu")) for k in range(3)]
    of_sentences = [model.loss(batch).item() for batch in batches]
    assert sorted(of_rounds) == pytest.approx(sorted(of_sentences), rel=1e-6)


def test_the_loss_of_an_end_is_the_mean_over_its_steps(tiny):
    """Steps of almost no length: every step has the loss of the start, Eq. 3 on all sentences."""
    settings = WarmupSettings(steps=3, inner_lr=1e-12)
    worker = worker_of(tiny, "de", settings=settings, dropout=0.0, batch_size=2)
    model, corpus = tagger(tiny, dropout=0.0), encoded(tiny, GERMAN)
    batch = collate(corpus, np.array([0, 1]), model.padding, torch.device("cpu"))
    [end] = worker.run_steps(worker.parameters.clone(), 0, ["de"])
    assert end.loss == pytest.approx(model.loss(batch).item(), rel=1e-5)


def test_a_loss_that_is_no_number_names_language_round_and_step(tiny):
    worker = worker_of(tiny, "de", "es")
    broken = torch.full_like(worker.parameters, math.inf)
    where = "warm-up round 3, step 1, language es (no step before it)"
    with pytest.raises(TrainingDivergedError, match=f"nan in {re.escape(where)}"):
        worker.run_steps(broken, 2, ["es"])


def test_a_loss_that_breaks_in_a_later_step_tells_the_last_one_that_was_finite(tiny):
    """Scores of 1e30 still have a loss, but a step along its gradient leads beyond float32."""
    model, corpus = tagger(tiny, dropout=0.0), encoded(tiny, GERMAN)
    with torch.no_grad():
        model.output.weight.mul_(1e32)
    batch = collate(corpus, np.array([0, 1]), model.padding, torch.device("cpu"))
    last_finite = model.loss(batch).item()
    start = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    worker = worker_of(tiny, "de", dropout=0.0, batch_size=2)
    with pytest.raises(TrainingDivergedError) as diverged:
        worker.run_steps(start, 0, ["de"])
    message = str(diverged.value)
    assert "warm-up round 1, step 2, language de" in message
    told = re.search(r"\((.+) just before\)", message)[1]
    assert float(told) == pytest.approx(last_finite, rel=1e-4)
    assert last_finite > 1e29


def test_a_worker_goes_on_after_a_round_that_diverged(tiny_xlmr, expected):
    start, alone = expected
    worker = worker_of(tiny_xlmr, "es")
    with pytest.raises(TrainingDivergedError):
        worker.run_steps(torch.full_like(start, math.nan), 0, ["es"])
    assert_same(worker.run_steps(start, 1, ["es"]), alone)


def test_weights_broken_by_the_last_step_are_noticed_in_its_own_round_and_language(
    tiny_xlmr, monkeypatch
):
    worker = worker_of(tiny_xlmr, "es", settings=WarmupSettings(steps=1))
    start = worker.parameters.clone()
    collate_once = worker_module.collate

    def collate_and_break(*arguments):
        row_of_mask = slice(4 * 16, 5 * 16)  # no batch has this piece, so the loss stays finite
        worker.parameters[row_of_mask] = math.inf
        return collate_once(*arguments)

    monkeypatch.setattr(worker_module, "collate", collate_and_break)
    with pytest.raises(TrainingDivergedError, match=r"round 3, language es.*last step"):
        worker.run_steps(start, 2, ["es"])

"""What a language worker returns depends on what it is asked, never on what it did before."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.examples import DUTCH, GERMAN, SPANISH, encoded, tagger
from trainers.collation import collate
from trainers.errors import TrainingDivergedError
from trainers.flat import FlatModel
from trainers.settings import Deltas, WarmupSettings
from trainers.warmup import WholeStart
from trainers.worker import LanguageWorker, warmup_order

SENTENCES = {"de": GERMAN, "es": SPANISH, "nl": DUTCH}
SETTINGS = WarmupSettings(steps=3, inner_lr=0.05)


def worker_of(folder, *languages, settings=SETTINGS, seed=1, dropout=0.1, batch_size=1):
    corpora = {language: encoded(folder, SENTENCES[language]) for language in languages}
    model = tagger(folder, dropout=dropout)
    return LanguageWorker(model, corpora.__getitem__, settings, batch_size=batch_size, seed=seed)


def run_steps(worker, start, z, languages, residual=None):
    """An end for each language, of its own storage."""
    whole = WholeStart(start, worker.layout)
    ends = []
    for language in languages:
        end = worker.run_steps(whole, z, language, residual)
        ends.append(replace(end, dense=end.dense.clone()))
    return ends


def end_vector(worker, start, end):
    """The whole vector ``(N,)`` that an end stands for."""
    vector = start.clone()
    worker.layout.dense_of(vector).copy_(end.dense)
    worker.layout.table_of(vector)[end.rows] = end.table
    return vector


def assert_same(ours, theirs):
    assert [end.language for end in ours] == [end.language for end in theirs]
    for left, right in zip(ours, theirs, strict=True):
        assert torch.equal(left.dense, right.dense)
        assert torch.equal(left.rows, right.rows)
        assert torch.equal(left.table, right.table)
        assert left.loss == right.loss


@pytest.fixture
def expected(tiny_xlmr):
    """Spanish in round 2, by a worker that holds Spanish alone and did nothing before."""
    worker = worker_of(tiny_xlmr, "es")
    start = worker.parameters.clone()
    return start, run_steps(worker, start, 1, ["es"])


def test_an_end_does_not_depend_on_which_other_languages_the_worker_holds(tiny_xlmr, expected):
    start, alone = expected
    worker = worker_of(tiny_xlmr, "nl", "es", "de")
    for languages in (["de", "nl", "es"], ["es", "de"]):
        ends = run_steps(worker, start, 1, languages)
        assert [end.language for end in ends] == languages
        assert_same([end for end in ends if end.language == "es"], alone)


def test_an_end_does_not_depend_on_the_calls_before_it(tiny_xlmr, expected):
    start, alone = expected
    worker = worker_of(tiny_xlmr, "es", "nl")
    for z, languages in ((4, ["nl"]), (0, ["es"]), (1, ["es", "nl"])):
        run_steps(worker, torch.randn(len(start)) / 10, z, languages)
    torch.manual_seed(99)
    assert_same(run_steps(worker, start, 1, ["es"]), alone)


def test_a_call_changes_neither_the_sent_parameters_nor_an_earlier_end(tiny_xlmr, expected):
    start, _ = expected
    sent = start.clone()
    worker = worker_of(tiny_xlmr, "es", "nl")
    [end] = run_steps(worker, sent, 1, ["es"])
    earlier = end.dense.clone()
    run_steps(worker, sent, 2, ["nl", "es"])
    assert torch.equal(sent, start)
    assert torch.equal(end.dense, earlier)


def test_rounds_and_seeds_differ_in_batches_and_dropout(tiny_xlmr, expected):
    start, [end] = expected
    [next_round] = run_steps(worker_of(tiny_xlmr, "es"), start, 2, ["es"])
    [other_seed] = run_steps(worker_of(tiny_xlmr, "es", seed=2), start, 1, ["es"])
    assert not torch.equal(next_round.dense, end.dense)
    assert not torch.equal(other_seed.dense, end.dense)


def test_dropout_is_drawn_anew_for_every_round(tiny):
    """With all sentences in every batch only dropout tells the rounds apart."""

    def losses(dropout):
        worker = worker_of(tiny, "de", dropout=dropout, batch_size=2)
        start = worker.parameters.clone()
        return [run_steps(worker, start, z, ["de"])[0].loss for z in (0, 1)]

    with_dropout, without = losses(0.3), losses(0.0)
    assert with_dropout[0] != pytest.approx(with_dropout[1], rel=1e-4)
    assert without[0] == pytest.approx(without[1], rel=1e-4)


def test_rounds_go_on_through_the_corpus_where_the_last_one_stopped(tiny):
    """One step of one sentence a round: as many rounds as sentences have the loss of each."""
    settings = WarmupSettings(steps=1, inner_lr=1e-12)
    worker = worker_of(tiny, "es", settings=settings, dropout=0.0, batch_size=1)
    start = worker.parameters.clone()
    of_rounds = [run_steps(worker, start, z, ["es"])[0].loss for z in range(3)]
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
    [end] = run_steps(worker, worker.parameters.clone(), 0, ["de"])
    assert end.loss == pytest.approx(model.loss(batch).item(), rel=1e-5)


def test_a_loss_that_is_no_number_names_language_round_and_step(tiny):
    worker = worker_of(tiny, "de", "es")
    broken = torch.full_like(worker.parameters, math.inf)
    where = "warm-up round 3, step 1, language es (no step before it)"
    with pytest.raises(TrainingDivergedError, match=f"nan in {re.escape(where)}"):
        run_steps(worker, broken, 2, ["es"])


def test_a_loss_that_breaks_in_a_later_step_tells_the_last_one_that_was_finite(tiny):
    """Scores of 1e30 still have a loss, but a step along its gradient leads beyond float32."""
    model, corpus = tagger(tiny, dropout=0.0), encoded(tiny, GERMAN)
    with torch.no_grad():
        model.output.weight.mul_(1e32)
    batch = collate(corpus, np.array([0, 1]), model.padding, torch.device("cpu"))
    last_finite = model.loss(batch).item()
    worker = worker_of(tiny, "de", dropout=0.0, batch_size=2)
    start = FlatModel(model, sparse_rows=model.word_embedding).values
    with pytest.raises(TrainingDivergedError) as diverged:
        run_steps(worker, start, 0, ["de"])
    message = str(diverged.value)
    assert "warm-up round 1, step 2, language de" in message
    told = re.search(r"\((.+) just before\)", message)[1]
    assert float(told) == pytest.approx(last_finite, rel=1e-4)
    assert last_finite > 1e29


def test_a_worker_goes_on_after_a_round_that_diverged(tiny_xlmr, expected):
    start, alone = expected
    worker = worker_of(tiny_xlmr, "es")
    with pytest.raises(TrainingDivergedError):
        run_steps(worker, torch.full_like(start, math.nan), 0, ["es"])
    assert_same(run_steps(worker, start, 1, ["es"]), alone)


def test_weights_broken_by_the_last_step_are_noticed_in_its_own_round_and_language(tiny_xlmr):
    """No sentence is so long that the last position counts in a loss."""
    model = tagger(tiny_xlmr)
    flat = FlatModel(model, sparse_rows=model.word_embedding)
    model.get_parameter("encoder.embeddings.position_embeddings.weight").data[-1] = math.inf
    worker = worker_of(tiny_xlmr, "es", settings=WarmupSettings(steps=1))
    with pytest.raises(TrainingDivergedError, match=r"round 3, language es.*last step"):
        run_steps(worker, flat.values, 2, ["es"])


def test_an_end_is_bitwise_that_of_dense_sgd_and_names_every_row_that_moved(tiny):
    """Beside torch.optim.SGD on a model of ordinary parameters, embedding gradient dense."""
    plain = tagger(tiny, dropout=0.0)
    worker = worker_of(tiny, "es", dropout=0.0)
    start = worker.parameters.clone()
    [end] = run_steps(worker, start, 1, ["es"])
    corpus = encoded(tiny, SPANISH)
    optimizer = torch.optim.SGD(plain.parameters(), lr=SETTINGS.inner_lr)
    order = warmup_order(corpus, 1, 1, "es")
    for step in range(3, 6):
        optimizer.zero_grad()
        plain.loss(collate(corpus, order(step), plain.padding, torch.device("cpu"))).backward()
        optimizer.step()
    expected = FlatModel(plain, sparse_rows=plain.word_embedding).values
    assert torch.equal(end_vector(worker, start, end), expected)
    before, after = (worker.layout.table_of(vector) for vector in (start, expected))
    moved = (before != after).any(dim=1).nonzero().flatten()
    assert 0 < len(moved) < len(before) / 2
    assert set(moved.tolist()) <= set(end.rows.tolist())


def test_rows_of_the_start_that_no_batch_touches_are_never_read(tiny_xlmr, expected):
    start, [alone] = expected
    worker = worker_of(tiny_xlmr, "es")
    table = worker.layout.table_of(start)
    untouched = torch.ones(len(table), dtype=torch.bool)
    untouched[alone.rows] = False
    poisoned = start.clone()
    worker.layout.table_of(poisoned)[untouched] = math.nan
    worker.live_in(torch.full_like(start, math.nan))
    assert_same(run_steps(worker, poisoned, 1, ["es"]), [alone])


def test_batches_of_the_next_round_are_prepared_and_change_nothing(tiny_xlmr, expected):
    start, alone = expected
    worker = worker_of(tiny_xlmr, "es", settings=SETTINGS.model_copy(update={"rounds": 2}))
    run_steps(worker, start, 0, ["es"])
    assert list(worker._batches._ahead) == [("es", 1)]
    assert_same(run_steps(worker, start, 1, ["es"]), alone)
    assert not worker._batches._ahead, "there is no third round"


def test_bfloat16_moves_and_what_they_lose_add_up_to_the_exact_move(tiny_xlmr, expected):
    start, [exact] = expected
    worker = worker_of(
        tiny_xlmr, "es", settings=SETTINGS.model_copy(update={"deltas": Deltas.BFLOAT16})
    )
    lost_before = torch.full((worker.layout.dense,), 1e-3)
    for residual, before in ((None, 0.0), (lost_before, 1e-3)):
        [end] = run_steps(worker, start, 1, ["es"], residual)
        move = exact.dense - worker.layout.dense_of(start) + before
        assert end.dense.dtype is torch.bfloat16
        assert torch.equal(end.dense, move.bfloat16())
        assert torch.equal(end.dense.float() + end.residual, move)
        assert end.residual.abs().max() > 0
        assert torch.equal(end.table, exact.table), "rows of the embedding stay exact"

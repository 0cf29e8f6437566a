"""Rounds of the warm-up: one after the other, from disk, and beside plain SGD (Eq. 7 and 8)."""

import copy

import pytest
import torch

from tests.ends import SPARSE, dense_end, end, sparse_ends
from tests.examples import GERMAN, encoded, tagger
from trainers.collation import collate
from trainers.flat import FlatModel, Layout
from trainers.outer import apply_round
from trainers.round_files import (
    load_checkpoint,
    load_outer_state,
    save_checkpoint,
    save_outer_state,
)
from trainers.settings import OuterOptimizer, WarmupSettings
from trainers.warmup import Hooks, RoundState, WholeStart, warm_up
from trainers.worker import LanguageWorker, warmup_order

SGD = OuterOptimizer.SGD


class InMemoryRounds:
    """Rounds of languages that are functions of the state."""

    name = "in memory"

    def __init__(self, ends_of, settings, layout):
        self._ends_of, self._settings, self._layout = ends_of, settings, layout

    def begin(self, state):
        self._state = state

    def run(self):
        ends = self._ends_of(self._state)
        return apply_round(self._state, ends, self._settings, self._layout)

    def collect(self):
        return self._state


def test_three_rounds_of_sgd_start_each_from_where_the_last_ended():
    asked = []

    def ends_of(state):
        now = state.parameters
        asked.append((state.rounds, now.tolist()))
        return [dense_end("de", now + 1), dense_end("es", now + 3)]

    settings = WarmupSettings(rounds=3, outer_lr=0.5, outer_optimizer=SGD)
    state = RoundState.start(torch.tensor([0.0]), SGD)
    after = warm_up(state, InMemoryRounds(ends_of, settings, Layout(1)), 3)
    assert asked == [(0, [0.0]), (1, [1.0]), (2, [2.0])]
    assert (after.rounds, after.parameters.tolist()) == (3, [3.0])


def test_sgd_with_gamma_one_and_one_language_is_exactly_k_sgd_steps(tiny):
    """A plain loop of torch.optim.SGD over the whole corpus, dense, without flat vectors."""
    steps, rounds, rate = 4, 2, 0.05
    corpus = encoded(tiny, GERMAN)
    model = tagger(tiny, dropout=0)
    plain = copy.deepcopy(model)
    settings = WarmupSettings(
        rounds=rounds, steps=steps, inner_lr=rate, outer_lr=1.0, outer_optimizer=SGD
    )
    worker = LanguageWorker(model, lambda _: corpus, settings, batch_size=1, seed=1)

    def ends_of(state):
        start = WholeStart(state.parameters, worker.layout)
        return [worker.run_steps(start, state.rounds, "de")]

    state = RoundState.start(worker.parameters.clone(), SGD)
    warm_up(state, InMemoryRounds(ends_of, settings, worker.layout), rounds)

    optimizer = torch.optim.SGD(plain.parameters(), lr=rate)
    order = warmup_order(corpus, 1, 1, "de")
    for step in range(rounds * steps):
        batch = collate(corpus, order(step), plain.padding, torch.device("cpu"))
        optimizer.zero_grad()
        plain.loss(batch).backward()
        optimizer.step()
    expected = FlatModel(plain, sparse_rows=plain.word_embedding).values
    assert torch.equal(state.parameters, expected)


def test_hooks_hear_of_every_round_in_order_and_of_the_state_when_they_want_it():
    heard, kept = [], []
    settings = WarmupSettings(rounds=4, outer_optimizer=SGD, outer_lr=1.0)
    rounds = InMemoryRounds(lambda _: [end("de", 1.0, loss=7.0)], settings, Layout(1))
    wishes = iter([False, True, True])
    hooks = Hooks(
        lambda z, report: heard.append((z, report.losses)),
        lambda _done: next(wishes),
        lambda state: kept.append((state.rounds, state.parameters.item())),
    )
    warm_up(RoundState.start(torch.zeros(1), SGD), rounds, 4, hooks)
    assert heard == [(z, {"de": 7.0}) for z in (1, 2, 3, 4)]
    assert kept == [(2, 1.0), (3, 1.0)], "the state after the last round is returned, not kept"


@pytest.mark.parametrize("optimizer", OuterOptimizer)
def test_a_state_read_from_disk_goes_on_to_the_same_bits(optimizer, tmp_path):
    settings = WarmupSettings(outer_optimizer=optimizer, outer_lr=0.5)
    start = torch.randn(SPARSE.size, generator=torch.Generator().manual_seed(9))
    state = RoundState.start(start, optimizer)
    reports = []

    def go_on(state, until):
        while state.rounds < until:
            ends = sparse_ends(state.parameters, state.rounds, whole=False)
            reports.append(apply_round(state, ends, settings, SPARSE))

    go_on(state, 3)
    state.residuals = {"de": torch.tensor([1.0, 2.0, 3.0, 4.0])}
    save_checkpoint(tmp_path / "all", state, reports)
    save_outer_state(tmp_path / "outer", state)
    again, their_reports = load_checkpoint(tmp_path / "all")
    assert their_reports == reports
    assert again.residuals["de"].tolist() == [1, 2, 3, 4]
    beside = load_outer_state(tmp_path / "outer", state.parameters.clone())
    for one in (state, again, beside):
        go_on(one, 6)
    for one in (again, beside):
        assert one.rounds == 6
        assert torch.equal(one.parameters, state.parameters)
        assert torch.equal(one.moment1, state.moment1)
        assert torch.equal(one.moved, state.moved)

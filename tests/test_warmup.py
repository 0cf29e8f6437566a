"""Rounds of the warm-up (Eq. 7), beside numbers worked by hand and PyTorch's and SciPy's own."""

import copy
import itertools
from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import trim_mean

from tests.examples import GERMAN, encoded, tagger
from trainers import outer
from trainers.collation import collate
from trainers.flat import FlatModel, Layout
from trainers.outer import apply_round, mean_move, median_move, trimmed_mean_move
from trainers.round_files import (
    load_checkpoint,
    load_outer_state,
    save_checkpoint,
    save_outer_state,
)
from trainers.warmup import (
    Aggregation,
    Deltas,
    Hooks,
    LanguageEnd,
    OuterOptimizer,
    RoundState,
    WarmupSettings,
    WholeStart,
    warm_up,
)
from trainers.worker import LanguageWorker, warmup_order

SGD, NESTEROV, ADAM = OuterOptimizer.SGD, OuterOptimizer.NESTEROV, OuterOptimizer.ADAM
NO_ROWS, NO_TABLE = torch.zeros(0, dtype=torch.long), torch.zeros(0, 1)


def dense_end(language, dense, loss=0.0):
    return LanguageEnd(language, dense, NO_ROWS, NO_TABLE, loss)


def end(language, *values, loss=0.0):
    return dense_end(language, torch.tensor(values), loss)


def random_ends(size, *, seed=0, start=None):
    """A start and one end a language, a small random step away."""
    draw = torch.Generator().manual_seed(seed)
    start = torch.randn(size, generator=draw) if start is None else start
    return start, [
        dense_end(language, start + 1e-3 * torch.randn(size, generator=draw), loss)
        for language, loss in (("de", 0.5), ("es", 1.5), ("nl", 2.5))
    ]


def one_round(start, ends, optimizer=SGD, outer_lr=1.0, **settings):
    """Parameters after one round from the start, and its report."""
    chosen = WarmupSettings(outer_optimizer=optimizer, outer_lr=outer_lr, **settings)
    state = RoundState.start(start.clone(), optimizer)
    report = apply_round(state, ends, chosen, Layout(len(start)))
    return state.parameters, report


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


def test_mean_move_is_the_average_of_the_moves_and_not_of_the_ends():
    start = torch.tensor([1.0, 10.0], dtype=torch.float64)
    ends = [torch.tensor([3.0, 10.0]), torch.tensor([2.0, 4.0]), torch.tensor([1.0, 13.0])]
    move = mean_move(start, ends, WarmupSettings())
    assert move.tolist() == [1.0, -1.0]  # (2 + 1 + 0) / 3, (0 - 6 + 3) / 3
    assert move.dtype == torch.float64


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 12])
def test_a_median_is_the_middle_move_and_between_the_middle_two_of_an_even_number(count):
    draw = torch.Generator().manual_seed(count)
    start, moves = torch.randn(50, generator=draw), torch.randn(count, 50, generator=draw)
    ends = list(start + moves)
    found = median_move(start.double(), ends, WarmupSettings())
    exact = torch.stack(ends).double() - start.double()
    lower, upper = exact.median(dim=0).values, -(-exact).median(dim=0).values
    assert torch.equal(found, (lower + upper) / 2)


@pytest.mark.parametrize(("count", "trim"), [(4, 0.25), (5, 0.2), (12, 0.25), (7, 0.4), (3, 0.1)])
def test_a_trimmed_mean_is_scipys(count, trim):
    draw = torch.Generator().manual_seed(count)
    start, moves = torch.randn(50, generator=draw), torch.randn(count, 50, generator=draw)
    found = trimmed_mean_move(start.double(), list(start + moves), WarmupSettings(trim=trim))
    expected = trim_mean(((start + moves).double() - start.double()).numpy(), trim, axis=0)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-15)


def test_one_language_that_goes_astray_does_not_move_the_median():
    ends = [end("de", 1.0), end("es", 2.0), end("nl", 1e9)]
    parameters, _ = one_round(torch.zeros(1), ends, aggregation=Aggregation.MEDIAN)
    assert parameters.tolist() == [2.0]


def test_sgd_moves_by_gamma_times_the_mean_move():
    ends = [end("de", 3.0, 0.0), end("es", 5.0, 4.0)]
    parameters, _ = one_round(torch.tensor([1.0, 2.0]), ends, outer_lr=0.5)
    assert parameters.tolist() == [2.5, 2.0]  # 1 + 0.5 * (2 + 4) / 2, 2 + 0.5 * (-2 + 2) / 2


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


@pytest.mark.parametrize(
    ("optimizer", "reference_of"),
    [
        (SGD, torch.optim.SGD),
        (NESTEROV, partial(torch.optim.SGD, momentum=0.9, nesterov=True)),
        (ADAM, torch.optim.Adam),
    ],
)
def test_an_outer_optimizer_is_pytorchs_with_minus_the_mean_move_as_gradient(
    optimizer, reference_of
):
    """Ten rounds from 0 beside PyTorch's in float64; ours keeps everything in float32."""
    rate = 0.01 if optimizer is ADAM else 0.7
    reference = torch.zeros(1000, dtype=torch.float64, requires_grad=True)
    theirs = reference_of([reference], rate)
    state = RoundState.start(torch.zeros(1000), optimizer)
    settings = WarmupSettings(outer_lr=rate, outer_optimizer=optimizer)
    for z in range(10):
        ends = random_ends(1000, seed=z, start=state.parameters)[1]
        moves = [one.dense.double() - state.parameters.double() for one in ends]
        reference.grad = -sum(moves) / len(moves)
        theirs.step()
        apply_round(state, ends, settings, Layout(1000))
    expected = reference.detach()
    assert expected.abs().max() > 3e-3
    torch.testing.assert_close(state.parameters.double(), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("optimizer", OuterOptimizer)
def test_a_round_is_bitwise_the_same_in_whatever_order_the_ends_arrive(optimizer):
    start, ends = random_ends(500)
    results = [one_round(start, order, optimizer) for order in itertools.permutations(ends)]
    for parameters, report in results[1:]:
        assert torch.equal(parameters, results[0][0])
        assert report == results[0][1]


@pytest.mark.parametrize("optimizer", OuterOptimizer)
def test_parameters_are_bitwise_the_same_whatever_the_chunk(optimizer, monkeypatch):
    start, ends = random_ends(1003)
    whole, in_one = one_round(start, ends, optimizer)
    monkeypatch.setattr(outer, "CHUNK", 100)
    pieces, in_eleven = one_round(start, ends, optimizer)
    assert torch.equal(pieces, whole)
    assert in_eleven.move_norms == pytest.approx(in_one.move_norms, rel=1e-5)
    assert in_eleven.cosines == pytest.approx(in_one.cosines, abs=1e-5)
    assert in_eleven.update_norm == pytest.approx(in_one.update_norm, rel=1e-12)
    assert in_eleven.rounding_loss == pytest.approx(in_one.rounding_loss, rel=1e-9)


def test_a_report_has_the_losses_norms_and_cosines_worked_by_hand():
    ends = [end("nl", -3.0, 4.0, loss=0.5), end("de", 3.0, 4.0, loss=2.0), end("es", 8.0, 0.0)]
    _, report = one_round(torch.zeros(2), ends, outer_lr=0.75)
    assert report.losses == {"de": 2.0, "es": 0.0, "nl": 0.5}
    assert report.move_norms == {"de": 5.0, "es": 8.0, "nl": 5.0}
    expected = {"de/es": 3 / 5, "de/nl": 7 / 25, "es/nl": -3 / 5}  # 24/40, (16 - 9)/25, -24/40
    assert report.cosines == pytest.approx(expected)
    assert list(report.cosines) == ["de/es", "de/nl", "es/nl"]
    assert report.update_norm == pytest.approx(0.75 * np.hypot(8 / 3, 8 / 3))


def test_a_language_that_did_not_move_has_no_cosine_but_zero():
    _, report = one_round(torch.zeros(2), [end("de", 0.0, 0.0), end("es", 1.0, 0.0)])
    assert report.move_norms == {"de": 0.0, "es": 1.0}
    assert report.cosines == {"de/es": 0.0}


def test_an_exact_update_loses_nothing_to_rounding():
    parameters, report = one_round(torch.tensor([1.0, -2.0]), [end("de", 1.5, -4.0)], outer_lr=0.5)
    assert parameters.tolist() == [1.25, -3.0]
    assert report.rounding_loss == 0.0


def test_the_papers_gamma_as_a_plain_step_is_lost_in_float32():
    """1e-4 times 5e-5 is 5e-9, a twenty-fourth of the gap between 1 and the next float32."""
    start = torch.ones(4)
    parameters, report = one_round(start, [dense_end("de", start + 1e-4)], outer_lr=5e-5)
    assert torch.equal(parameters, start)
    assert report.update_norm == pytest.approx(2 * 5e-9, rel=1e-3)
    assert report.rounding_loss == pytest.approx(1.0)


def test_languages_that_stay_where_they_are_report_no_loss_to_rounding():
    parameters, report = one_round(torch.ones(3), [end("de", 1.0, 1.0, 1.0)])
    assert parameters.tolist() == [1, 1, 1]
    assert (report.update_norm, report.rounding_loss) == (0.0, 0.0)


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
@pytest.mark.parametrize("aggregation", Aggregation)
def test_threads_change_no_bit(optimizer, aggregation, monkeypatch):
    monkeypatch.setattr(outer, "CHUNK", 64)
    start, ends = random_ends(1003)
    settings = WarmupSettings(outer_optimizer=optimizer, aggregation=aggregation, trim=0.4)
    found = []
    for threads in (1, 3):
        state = RoundState.start(start.clone(), optimizer)
        report = apply_round(state, ends, settings, Layout(1003), threads)
        found.append((state.parameters, report))
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


# 4 numbers and a table of 50 rows of 2; languages touch few rows, others each round.
SPARSE = Layout(4, 50, 2)


def sparse_ends(start, z, *, whole):
    """Random ends that leave most rows alone; ``whole`` puts them in a vector without a table."""
    found = []
    for number, language in enumerate(("de", "es", "nl")):
        draw = torch.Generator().manual_seed(100 * z + number)
        rows = torch.randperm(50, generator=draw)[:5].sort().values
        vector = start.clone()
        SPARSE.dense_of(vector).add_(torch.randn(4, generator=draw))
        table = SPARSE.table_of(vector)
        table[rows] += torch.randn(5, 2, generator=draw)
        if whole:
            found.append(dense_end(language, vector))
        else:
            found.append(LanguageEnd(language, vector[:4], rows, table[rows], 0.0))
    return found


@pytest.mark.parametrize("optimizer", OuterOptimizer)
@pytest.mark.parametrize("aggregation", Aggregation)
@pytest.mark.parametrize("chunk", [8, 1 << 15])
def test_sparse_rounds_give_bitwise_the_parameters_of_dense_ones(
    optimizer, aggregation, chunk, monkeypatch
):
    """Six rounds: rows that moved once have moments, and go on moving by themselves."""
    monkeypatch.setattr(outer, "CHUNK", chunk)
    settings = WarmupSettings(
        outer_optimizer=optimizer, outer_lr=0.5, aggregation=aggregation, trim=0.4
    )
    start = torch.randn(SPARSE.size, generator=torch.Generator().manual_seed(9))
    dense = RoundState.start(start.clone(), optimizer)
    sparse = RoundState.start(start.clone(), optimizer)
    for z in range(6):
        ends = sparse_ends(dense.parameters, z, whole=True)
        expected = apply_round(dense, ends, settings, Layout(SPARSE.size))
        found = apply_round(
            sparse, sparse_ends(sparse.parameters, z, whole=False), settings, SPARSE
        )
        assert torch.equal(sparse.parameters, dense.parameters)
        assert torch.equal(sparse.moment1, dense.moment1)
        assert torch.equal(sparse.moment2, dense.moment2)
        assert found.move_norms == pytest.approx(expected.move_norms, rel=1e-5)
        assert found.update_norm == pytest.approx(expected.update_norm, rel=1e-12)
    assert 20 < len(sparse.moved) < 50


def test_moves_in_bfloat16_are_added_to_the_start():
    ends = [LanguageEnd("de", torch.tensor([0.5, -2.0]).bfloat16(), NO_ROWS, NO_TABLE, 0.0)]
    parameters, report = one_round(torch.tensor([1.0, 1.0]), ends)
    assert parameters.tolist() == [1.5, -1.0]
    assert report.move_norms["de"] == pytest.approx(np.hypot(0.5, 2.0))


def test_error_feedback_makes_good_over_rounds_what_bfloat16_loses():
    """A language that moves by 1 + 2^-9 each round: bfloat16 has 8 bits, so one round loses it."""
    step = 1 + 2**-9
    settings = WarmupSettings(outer_optimizer=SGD, outer_lr=1.0, deltas=Deltas.BFLOAT16)
    state = RoundState.start(torch.zeros(1), SGD)
    for _ in range(8):
        move = torch.tensor([step]) + state.residuals.get("de", torch.zeros(1))
        sent = move.bfloat16()
        one = LanguageEnd("de", sent, NO_ROWS, NO_TABLE, 0.0, residual=move - sent)
        apply_round(state, [one], settings, Layout(1))
    assert torch.tensor([step]).bfloat16().item() == 1.0
    assert state.parameters.item() + state.residuals["de"].item() == 8 * step


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

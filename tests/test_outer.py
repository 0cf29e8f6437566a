"""The outer step (Eq. 7), beside numbers worked by hand and PyTorch's and SciPy's own."""

import itertools
from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import trim_mean

from tests.ends import NO_ROWS, NO_TABLE, SPARSE, dense_end, end, random_ends, sparse_ends
from trainers import outer, outer_kernels, outer_tensors
from trainers.flat import Layout
from trainers.outer import apply_round
from trainers.outer_tensors import mean_move, median_move, trimmed_mean_move
from trainers.settings import Aggregation, Deltas, OuterOptimizer, WarmupSettings
from trainers.warmup import LanguageEnd, RoundState

SGD, NESTEROV, ADAM = OuterOptimizer.SGD, OuterOptimizer.NESTEROV, OuterOptimizer.ADAM


def one_round(start, ends, optimizer=SGD, outer_lr=1.0, **settings):
    """Parameters after one round from the start, and its report."""
    chosen = WarmupSettings(outer_optimizer=optimizer, outer_lr=outer_lr, **settings)
    state = RoundState.start(start.clone(), optimizer)
    report = apply_round(state, ends, chosen, Layout(len(start)))
    return state.parameters, report


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


@pytest.mark.parametrize("optimizer", OuterOptimizer)
@pytest.mark.parametrize("aggregation", Aggregation)
@pytest.mark.parametrize("deltas", Deltas)
@pytest.mark.parametrize("count", [1, 4, 5])
def test_the_compiled_step_gives_the_bits_of_the_one_in_tensor_operations(
    optimizer, aggregation, deltas, count
):
    """Three rounds over several blocks, the last one odd; what is logged agrees to rounding."""
    settings = WarmupSettings(outer_optimizer=optimizer, aggregation=aggregation, trim=0.3)
    size = 2 * outer_kernels.BLOCK + 777
    draw = torch.Generator().manual_seed(count)
    start = torch.randn(size, generator=draw)
    states = [RoundState.start(start.clone(), optimizer) for _ in range(2)]
    for z in (1, 2, 3):
        moves = [0.1 * torch.randn(size, generator=draw) for _ in range(count)]
        sums = []
        for state, module in zip(states, (outer_tensors, outer_kernels), strict=True):
            bf16 = deltas is Deltas.BFLOAT16
            ends = [move.bfloat16() if bf16 else state.parameters + move for move in moves]
            moments = state.moment1, state.moment2
            found = module.move_chunk(state.parameters, ends, *moments, z, settings)
            sums.append(torch.as_tensor(found))
        assert torch.allclose(*sums, rtol=1e-4, atol=1e-2)
        assert sums[0][-2:].tolist() == pytest.approx(sums[1][-2:].tolist(), rel=1e-9)
    assert not torch.equal(states[0].parameters, start)
    for vectors in zip(*[(s.parameters, s.moment1, s.moment2) for s in states], strict=True):
        assert torch.equal(*vectors)


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

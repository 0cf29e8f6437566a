"""The outer step of the warm-up (Eq. 7), beside numbers worked by hand and PyTorch's optimisers."""

import copy
import itertools

import numpy as np
import pytest
import torch

from tests.examples import GERMAN, encoded, tagger
from trainers import warmup
from trainers.collation import collate
from trainers.warmup import (
    LanguageEnd,
    OuterOptimizer,
    OuterState,
    WarmupSettings,
    apply_round,
    mean_move,
    moves_from,
    warm_up,
)
from trainers.worker import LanguageWorker, warmup_order

SGD, ADAM = OuterOptimizer.SGD, OuterOptimizer.ADAM


def end(language, *values, loss=0.0):
    return LanguageEnd(language, torch.tensor(values), loss)


def random_ends(size, *, seed=0, start=None):
    """A start and one end a language, a small random step away."""
    draw = torch.Generator().manual_seed(seed)
    start = torch.randn(size, generator=draw) if start is None else start
    return start, [
        LanguageEnd(language, start + 1e-3 * torch.randn(size, generator=draw), loss)
        for language, loss in (("de", 0.5), ("es", 1.5), ("nl", 2.5))
    ]


def one_round(start, ends, optimizer=SGD, outer_lr=1.0):
    """Parameters after one round from the start, and its report."""
    parameters = start.clone()
    settings = WarmupSettings(outer_optimizer=optimizer, outer_lr=outer_lr)
    state = OuterState.start(len(start), optimizer)
    return parameters, apply_round(parameters, ends, state, settings)[1]


def test_mean_move_is_the_average_of_the_moves_and_not_of_the_ends():
    start = torch.tensor([1.0, 10.0])
    ends = [torch.tensor([3.0, 10.0]), torch.tensor([2.0, 4.0]), torch.tensor([1.0, 13.0])]
    move = mean_move(moves_from(start, ends))
    assert move.tolist() == [1.0, -1.0]  # (2 + 1 + 0) / 3, (0 - 6 + 3) / 3
    assert move.dtype == torch.float64


def test_sgd_moves_by_gamma_times_the_mean_move():
    ends = [end("de", 3.0, 0.0), end("es", 5.0, 4.0)]
    parameters, _ = one_round(torch.tensor([1.0, 2.0]), ends, outer_lr=0.5)
    assert parameters.tolist() == [2.5, 2.0]  # 1 + 0.5 * (2 + 4) / 2, 2 + 0.5 * (-2 + 2) / 2


def test_three_rounds_of_sgd_start_each_from_where_the_last_ended():
    asked = []

    def run_round(parameters, z):
        asked.append((z, parameters.tolist()))
        return [LanguageEnd("de", parameters + 1, 0.0), LanguageEnd("es", parameters + 3, 0.0)]

    parameters = torch.tensor([0.0])
    settings = WarmupSettings(rounds=3, outer_lr=0.5, outer_optimizer=SGD)
    assert warm_up(parameters, run_round, settings).rounds == 3
    assert asked == [(0, [0.0]), (1, [1.0]), (2, [2.0])]
    assert parameters.tolist() == [3.0]


def test_sgd_with_gamma_one_and_one_language_is_exactly_k_sgd_steps(tiny):
    """A plain loop of torch.optim.SGD over the whole corpus, dense, without flat vectors."""
    steps, rounds, rate = 4, 2, 0.05
    corpus = encoded(tiny, GERMAN)
    model = tagger(tiny, dropout=0)
    plain = copy.deepcopy(model)
    settings = WarmupSettings(
        rounds=rounds, steps=steps, inner_lr=rate, outer_lr=1.0, outer_optimizer=SGD
    )
    worker = LanguageWorker(model, {"de": corpus}, settings, batch_size=1, seed=1)
    parameters = worker.parameters.clone()
    warm_up(parameters, lambda now, z: worker.run_steps(now, z, ["de"]), settings)

    optimizer = torch.optim.SGD(plain.parameters(), lr=rate)
    order = warmup_order(corpus, 1, 1, "de")
    for step in range(rounds * steps):
        batch = collate(corpus, order(step), plain.padding, torch.device("cpu"))
        optimizer.zero_grad()
        plain.loss(batch).backward()
        optimizer.step()
    expected = torch.cat([parameter.detach().flatten() for parameter in plain.parameters()])
    assert torch.equal(parameters, expected)


def test_adam_is_torchs_adam_with_minus_the_mean_move_as_gradient():
    """Ten rounds from 0 beside PyTorch's in float64; ours keeps everything in float32."""
    rate = 0.01
    parameters = torch.zeros(1000)
    reference = torch.zeros(1000, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([reference], lr=rate)
    state = OuterState.start(1000, ADAM)
    settings = WarmupSettings(outer_lr=rate, outer_optimizer=ADAM)
    for z in range(10):
        ends = random_ends(1000, seed=z, start=parameters)[1]
        moves = [one.parameters.double() - parameters.double() for one in ends]
        reference.grad = -sum(moves) / len(moves)
        optimizer.step()
        state, _ = apply_round(parameters, ends, state, settings)
    expected = reference.detach()
    assert expected.abs().max() > 3 * rate
    torch.testing.assert_close(parameters.double(), expected, rtol=1e-6, atol=1e-8)


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
    monkeypatch.setattr(warmup, "CHUNK", 100)
    pieces, in_eleven = one_round(start, ends, optimizer)
    assert torch.equal(pieces, whole)
    assert in_eleven.move_norms == pytest.approx(in_one.move_norms, rel=1e-12)
    assert in_eleven.cosines == pytest.approx(in_one.cosines, rel=1e-9)
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
    parameters, report = one_round(start, [LanguageEnd("de", start + 1e-4, 0.0)], outer_lr=5e-5)
    assert torch.equal(parameters, start)
    assert report.update_norm == pytest.approx(2 * 5e-9, rel=1e-3)
    assert report.rounding_loss == pytest.approx(1.0)


def test_languages_that_stay_where_they_are_report_no_loss_to_rounding():
    parameters, report = one_round(torch.ones(3), [end("de", 1.0, 1.0, 1.0)])
    assert parameters.tolist() == [1, 1, 1]
    assert (report.update_norm, report.rounding_loss) == (0.0, 0.0)


def test_observers_hear_of_every_round_in_order():
    heard = []
    settings = WarmupSettings(rounds=3, outer_optimizer=SGD)
    ends = [end("de", 1.0, loss=7.0)]
    warm_up(torch.zeros(1), lambda _p, _z: ends, settings, lambda z, r: heard.append((z, r.losses)))
    assert heard == [(z, {"de": 7.0}) for z in (1, 2, 3)]

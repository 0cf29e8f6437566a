"""Fine-tuning: the schedule, the optimiser, and which step's weights the model ends with."""

import copy
import math
import re
from dataclasses import replace

import pytest
import torch

from tests.examples import EVERYTHING, GERMAN, SPANISH, TAGS, encoded, tagger
from trainers.batches import BatchOrder
from trainers.collation import collate
from trainers.course import Checkpoints
from trainers.errors import TrainingDivergedError
from trainers.evaluation import evaluate
from trainers.settings import LossMean, TrainSettings
from trainers.training import FineTuner, clip, fine_tune, learning_rate_at

RENAMED = {"PER": "LOC", "LOC": "ORG", "ORG": "PER"}
WRONG = [
    replace(one, spans=tuple(replace(span, label=RENAMED[span.label]) for span in one.spans))
    for one in EVERYTHING
]
"""The same sentences with every label exchanged."""


def settings_of(**changes):
    defaults = {"learning_rate": 1e-3, "batch_size": 4, "steps": 10, "select_after": 4}
    return TrainSettings(**{**defaults, "evaluate_every": 3, **changes})


def parameters_of(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.fixture(scope="module")
def fitted(tiny_bert):
    """A tagger that learnt eight sentences by heart, and how it got there."""
    corpus = encoded(tiny_bert, EVERYTHING[:8])
    model = tagger(tiny_bert, dropout=0)
    settings = settings_of(
        learning_rate=1e-2, batch_size=8, steps=60, select_after=0, evaluate_every=1
    )
    return model, corpus, fine_tune(model, corpus, corpus, TAGS, settings, seed=1)


def test_the_rate_rises_linearly_and_then_stays():
    settings = settings_of(learning_rate=0.5, lr_warmup=4)
    rates = [learning_rate_at(step, settings) for step in range(10)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5])


def test_the_rate_rises_and_then_falls_to_nothing_after_the_last_step():
    settings = settings_of(learning_rate=0.5, lr_warmup=4, lr_decay="linear", steps=9)
    rates = [learning_rate_at(step, settings) for step in range(10)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0])


def test_the_papers_rate_is_the_same_at_every_step():
    assert {learning_rate_at(step, settings_of()) for step in range(10)} == {1e-3}


@pytest.mark.parametrize(
    ("select_after", "evaluate_every", "looked_at"),
    [(4, 3, [6, 9, 10]), (6, 2, [6, 8, 10]), (0, 4, [4, 8, 10]), (0, 99, [10]), (9, 1, [9, 10])],
)
def test_the_dev_set_is_looked_at_after(select_after, evaluate_every, looked_at):
    settings = settings_of(select_after=select_after, evaluate_every=evaluate_every)
    assert [step for step in range(11) if settings.is_selection_step(step)] == looked_at


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"select_after": 10}, r"select_after \(10\) must be below steps \(10\)"),
        ({"lr_warmup": 10}, r"lr_warmup \(10\) must be below steps \(10\)"),
        ({"learning_rate": 0}, r"learning_rate\s+Input should be greater than 0"),
        ({"learning_rate": math.nan}, r"learning_rate\s+Input should be"),
        ({"batch_size": 0}, r"batch_size\s+Input should be greater than or equal to 1"),
        ({"max_grad_norm": 0}, r"max_grad_norm\s+Input should be greater than 0"),
        ({"weight_decay": 0.1}, r"weight_decay\s+Extra inputs are not permitted"),
    ],
)
def test_settings_refuse(wrong, message):
    with pytest.raises(ValueError, match=message):
        settings_of(**wrong)


def test_a_tagger_learns_eight_sentences_by_heart(fitted):
    model, corpus, result = fitted
    assert result.dev_f1 == 100
    assert evaluate(model, corpus, TAGS).micro.f1 == 100


def test_the_best_dev_step_wins_and_of_equal_ones_the_earliest(fitted):
    scores = [(progress.step, progress.dev_f1) for progress in fitted[2].curve]
    assert [step for step, _ in scores] == list(range(1, 61))
    perfect = [step for step, f1 in scores if f1 == 100]
    assert len(perfect) > 1
    assert fitted[2].best_step == perfect[0]


def test_an_early_step_wins_if_the_dev_score_falls_afterwards(fitted, tiny_bert):
    model, corpus, _ = fitted
    settings = settings_of(learning_rate=3e-3, steps=40, select_after=0, evaluate_every=1)
    model, wrong = copy.deepcopy(model), encoded(tiny_bert, WRONG)
    result = fine_tune(model, wrong, corpus, TAGS, settings, seed=1)
    scores = [progress.dev_f1 for progress in result.curve if progress.dev_f1 is not None]
    assert result.best_step < 20
    assert scores[-1] < max(scores) == result.dev_f1
    assert evaluate(model, corpus, TAGS).micro.f1 == result.dev_f1


def test_the_model_ends_with_bitwise_the_weights_of_the_selected_step(fitted, tiny_bert):
    """The same steps without looking at the dev set in between, stopped at the selected one."""
    model, corpus, result = fitted
    settings = settings_of(learning_rate=1e-2, batch_size=8, steps=60)
    tuner = FineTuner(tagger(tiny_bert, dropout=0), corpus, settings, seed=1)
    for step in range(result.best_step):
        tuner.step(step)
    assert torch.equal(parameters_of(tuner.tagger), parameters_of(model))


def test_the_curve_reports_the_mean_loss_since_the_last_report(tiny_bert):
    settings = settings_of(steps=25, select_after=24)
    corpus, heard = encoded(tiny_bert), []
    result = fine_tune(
        tagger(tiny_bert), corpus, corpus, TAGS, settings, seed=1, observe=heard.append
    )
    assert tuple(heard) == result.curve
    assert [(one.step, one.dev_f1 is None) for one in heard] == [
        (20, True),
        (24, False),
        (25, False),
    ]
    tuner = FineTuner(tagger(tiny_bert), corpus, settings, seed=1)
    losses = [tuner.step(step) for step in range(25)]
    means = [sum(losses[:20]) / 20, sum(losses[20:24]) / 4, losses[24]]
    assert [one.loss for one in heard] == pytest.approx(means, rel=1e-12)


def test_a_seed_gives_bitwise_the_same_weights_again_and_another_seed_others(tiny):
    def weights(seed):
        model = tagger(tiny)
        dev, settings = encoded(tiny, GERMAN), settings_of()
        result = fine_tune(model, encoded(tiny), dev, TAGS, settings, seed=seed)
        return parameters_of(model), result

    (first, once), (second, again), (other, _) = weights(1), weights(1), weights(2)
    assert torch.equal(first, second)
    assert once == again
    assert not torch.equal(first, other)


@pytest.mark.parametrize("mean", LossMean)
def test_steps_are_those_of_torchs_adam(mean, tiny):
    """PyTorch's default Adam on ordinary parameters with dense gradients, batches in one part.

    A key's bias adds the same to all scores of a softmax, so its gradient is 0 (1e-20 in float64).
    In float32 it is rounding, which Adam divides by its own size: neither side's is the right one,
    and both have to be near to where they began.
    """
    corpus, steps = encoded(tiny), 8
    ours, plain = tagger(tiny, dropout=0), tagger(tiny, dropout=0)
    ours.loss_mean = mean
    tuner = FineTuner(ours, corpus, settings_of(), seed=1)
    start = parameters_of(plain)
    optimizer = torch.optim.Adam(plain.parameters(), lr=1e-3)
    order = BatchOrder(len(corpus), 4, 1, "finetune")
    for step in range(steps):
        batch = collate(corpus, order(step), plain.padding, torch.device("cpu"))
        if mean is LossMean.WORDS:
            loss = torch.nn.functional.cross_entropy(plain(batch), batch.tags_N)
        else:
            loss = plain.loss(batch)
        assert tuner.step(step) == pytest.approx(loss.item(), abs=1e-6)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (parameters_of(plain) - start).abs().max() > 0.5 * steps * 1e-3
    begun, expected = tagger(tiny, dropout=0).state_dict(), plain.state_dict()
    for name, found in ours.state_dict().items():
        if name.endswith("key.bias"):
            torch.testing.assert_close(found, begun[name], rtol=0, atol=1e-5)
            torch.testing.assert_close(expected[name], begun[name], rtol=0, atol=1e-5)
        else:
            torch.testing.assert_close(found, expected[name], rtol=0, atol=5e-7)


def test_gradients_are_scaled_down_to_the_greatest_norm_and_never_up():
    gradients = torch.tensor([3.0, -4.0])
    clip(gradients, 5.5)
    assert gradients.tolist() == [3, -4]
    clip(gradients, 0.5)
    assert gradients.tolist() == pytest.approx([0.3, -0.4])


def test_a_step_uses_clipped_gradients_if_the_settings_say_so(tiny_bert):
    corpus, norms = encoded(tiny_bert), {}
    for greatest in (None, 0.25):
        tuner = FineTuner(tagger(tiny_bert), corpus, settings_of(max_grad_norm=greatest), seed=1)
        tuner.step(0)
        norms[greatest] = float(tuner.flat.gradients.norm())
    assert norms[None] > 0.3
    assert norms[0.25] == pytest.approx(0.25)


def test_a_step_uses_the_rate_of_the_schedule(tiny_bert):
    """Adam's first step has the length of its rate in every coordinate that has a gradient."""
    corpus = encoded(tiny_bert, SPANISH)
    tuner = FineTuner(tagger(tiny_bert), corpus, settings_of(lr_warmup=4), seed=1)
    start = tuner.flat.values.clone()
    tuner.step(0)
    assert float((tuner.flat.values - start).abs().max()) == pytest.approx(1e-3 / 5, rel=1e-3)


def test_a_loss_that_is_no_number_names_the_step_and_the_last_one_that_was(tiny):
    tuner = FineTuner(tagger(tiny), encoded(tiny), settings_of(), seed=1)
    tuner.step(0)
    last = tuner.step(1)
    tuner.flat.values.fill_(math.inf)
    where = re.escape(f"nan in training step 3 ({last:.6g} just before)")
    with pytest.raises(TrainingDivergedError, match=where):
        tuner.step(2)


class PulledPlugError(Exception):
    """Somebody pulled the plug."""


@pytest.mark.parametrize("last", [1, 5, 6, 25])
def test_an_interrupted_training_goes_on_to_the_same_bits(last, tiny, tmp_path):
    """Interrupted before, at and after a look at the dev set, and before a report of the loss."""
    corpus = encoded(tiny, EVERYTHING)
    settings = settings_of(
        steps=30, select_after=3, evaluate_every=3, lr_warmup=4, lr_decay="linear", max_grad_norm=1
    )

    def train(due, path=tmp_path / "training"):
        model = tagger(tiny)
        result = fine_tune(
            model, corpus, corpus, TAGS, settings, seed=1, checkpoints=Checkpoints(path, due)
        )
        return parameters_of(model), result

    steps = []

    def interrupt():
        steps.append(1)
        if len(steps) == last + 2:
            raise PulledPlugError
        return len(steps) == last

    expected = train(lambda: False, tmp_path / "never")
    with pytest.raises(PulledPlugError):
        train(interrupt)
    taken = []
    weights, result = train(lambda: bool(taken.append(1)))
    assert len(taken) == 30 - last
    assert torch.equal(weights, expected[0])
    assert result == expected[1]
    assert not (tmp_path / "never").exists()

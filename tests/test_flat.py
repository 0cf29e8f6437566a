"""The flat vectors are the model's parameters and gradients, not copies of them."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.examples import encoded, tagger
from trainers.checkpoints import load_weights, save_weights
from trainers.collation import collate
from trainers.flat import FlatModel, Layout


@pytest.fixture
def flat():
    """Weight [[1, 2], [3, 4]] and bias [5, 6]: the vector 1 to 6."""
    module = nn.Linear(2, 2)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        module.bias.copy_(torch.tensor([5.0, 6.0]))
    return FlatModel(module)


def batch_of(model, corpus):
    return collate(corpus, np.arange(len(corpus)), model.padding, torch.device("cpu"))


def table_last(model):
    table = model.word_embedding.weight
    return [each for each in model.parameters() if each is not table] + [table]


def test_the_word_embedding_comes_last_as_a_table(tiny):
    model = tagger(tiny)
    expected = [parameter.detach().clone() for parameter in table_last(model)]
    flat = FlatModel(model, sparse_rows=model.word_embedding)
    rows, width = expected[-1].shape
    assert flat.layout == Layout(len(flat.values) - rows * width, rows, width)
    assert torch.equal(flat.layout.table_of(flat.values), expected[-1])
    dense = torch.cat([parameter.flatten() for parameter in expected[:-1]])
    assert torch.equal(flat.layout.dense_of(flat.values), dense)


def test_a_module_that_moves_into_another_vector_has_what_that_one_holds(flat):
    flat.gradients.fill_(7.0)
    vector = torch.tensor([1.0, 0, 0, 1, 10, 20])
    flat.move_to(vector)
    assert flat.module(torch.tensor([3.0, 4.0])).tolist() == [13, 24]
    with torch.no_grad():
        flat.module.bias.zero_()
    assert vector.tolist() == [1, 0, 0, 1, 0, 0]
    assert flat.module.bias.grad.tolist() == [7, 7]


def test_values_hold_the_parameters_one_after_another(flat):
    assert flat.values.tolist() == [1, 2, 3, 4, 5, 6]
    assert flat.values.is_contiguous()
    assert flat.values.dtype == torch.float32


def test_changing_the_vector_changes_what_the_module_computes(flat):
    flat.values.copy_(torch.tensor([1.0, 0, 0, 1, 10, 20]))
    assert flat.module(torch.tensor([3.0, 4.0])).tolist() == [13, 24]


def test_changing_the_module_changes_the_vector(flat):
    with torch.no_grad():
        flat.module.bias.mul_(10)
    assert flat.values.tolist() == [1, 2, 3, 4, 50, 60]


def test_gradients_of_a_linear_layer_are_those_worked_by_hand_and_accumulate(flat):
    for times in (1, 2):
        (flat.module(torch.tensor([3.0, 4.0])) @ torch.tensor([1.0, 10.0])).backward()
        expected = torch.tensor([3.0, 4.0, 30.0, 40.0, 1.0, 10.0])
        assert flat.gradients.tolist() == (times * expected).tolist()


def test_flat_gradients_of_a_tagger_equal_those_of_ordinary_autograd(tiny):
    corpus = encoded(tiny)
    plain, flattened = tagger(tiny, dropout=0), tagger(tiny, dropout=0)
    flat = FlatModel(flattened, sparse_rows=flattened.word_embedding)
    plain.loss(batch_of(plain, corpus)).backward()
    flattened.loss(batch_of(flattened, corpus)).backward()
    expected = torch.cat([each.grad.flatten() for each in table_last(plain)])
    assert expected.norm() > 0.1
    torch.testing.assert_close(flat.gradients, expected, rtol=1e-5, atol=1e-8)


def test_the_word_embedding_stays_a_view_after_a_sparse_gradient(tiny):
    model = tagger(tiny)
    flat = FlatModel(model, sparse_rows=model.word_embedding)
    model.loss(batch_of(model, encoded(tiny))).backward()
    assert not model.word_embedding.weight.grad.is_sparse
    flat.gradients.zero_()
    assert not any(parameter.grad.any() for parameter in model.parameters())


def test_load_gives_back_what_was_saved(flat, tmp_path):
    save_weights(flat.module, tmp_path / "weights.safetensors")
    flat.values.zero_()
    load_weights(flat.module, tmp_path / "weights.safetensors")
    assert flat.values.tolist() == [1, 2, 3, 4, 5, 6]
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (nn.Linear(2, 3), r"\['bias', 'weight'\]"),
        (nn.Linear(2, 2, bias=False), r"\['bias'\]"),
        (nn.Sequential(nn.Linear(2, 2)), r"\['0\.bias', '0\.weight', 'bias', 'weight'\]"),
    ],
)
def test_load_refuses_other_parameters_and_names_them(flat, tmp_path, other, named):
    save_weights(other, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=f"other.safetensors and the model differ .* {named}"):
        load_weights(flat.module, tmp_path / "other.safetensors")
    assert flat.values.tolist() == [1, 2, 3, 4, 5, 6]

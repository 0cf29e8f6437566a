"""Encoders: which checkpoint is meant, what of it is kept, and what is refused."""

import shutil

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from projection.errors import InputError
from trainers.backbones import (
    BackboneSettings,
    checkpoint_hash,
    load_encoder,
    load_tokenizer,
    resolve_checkpoint,
)

LAYERS = 3
POSITIONS = 140
"""Of the tiny checkpoints."""


def load(folder, **settings):
    return load_encoder(folder, BackboneSettings(name="tiny", **settings))


def longest_input(encoder, length):
    piece_ids = torch.full((1, length), 7)
    with torch.no_grad():
        return encoder(input_ids=piece_ids).last_hidden_state.shape[1]


@pytest.mark.parametrize("num_layers", [1, 2])
def test_num_layers_keeps_the_first_layers_and_the_embeddings(tiny, num_layers):
    saved = load_file(tiny / "model.safetensors")
    kept = load(tiny, num_layers=num_layers).state_dict()
    layers = {name.split(".")[2] for name in kept if name.startswith("encoder.layer.")}
    assert layers == {str(i) for i in range(num_layers)}
    assert len(kept) == len(saved) * (5 + 16 * num_layers) / (5 + 16 * LAYERS)
    assert all(torch.equal(kept[name], saved[name]) for name in kept)


def test_all_layers_are_kept_if_none_says_how_many(tiny):
    assert load(tiny).state_dict().keys() == load_file(tiny / "model.safetensors").keys()


def test_more_layers_than_there_are_are_refused(tiny):
    with pytest.raises(InputError, match=r"num_layers is 4, but tiny-\w+ has 3"):
        load(tiny, num_layers=4)


def test_more_pieces_than_positions_are_refused(tiny_bert):
    with pytest.raises(InputError, match=r"max_pieces is 141, but tiny-\w+ has only 140"):
        load(tiny_bert, max_pieces=141)


def test_bert_reads_inputs_of_as_many_pieces_as_it_has_positions(tiny_bert):
    assert longest_input(load(tiny_bert, max_pieces=POSITIONS), POSITIONS) == POSITIONS


def test_xlm_r_reads_two_pieces_fewer_than_it_has_positions(tiny_xlmr):
    assert longest_input(load(tiny_xlmr, max_pieces=POSITIONS - 2), POSITIONS - 2) == POSITIONS - 2


def test_more_pieces_than_xlm_r_can_read_are_refused(tiny_xlmr):
    with pytest.raises(InputError, match="max_pieces is 139"):
        load(tiny_xlmr, max_pieces=POSITIONS - 1)


def test_an_encoder_of_a_family_without_pooling_layer_loads(tmp_path):
    from transformers import ElectraConfig, ElectraModel

    sizes = {"hidden_size": 8, "embedding_size": 8, "intermediate_size": 8}
    config = ElectraConfig(vocab_size=9, num_hidden_layers=2, num_attention_heads=1, **sizes)
    ElectraModel(config).save_pretrained(tmp_path)
    assert load(tmp_path, num_layers=1).config.num_hidden_layers == 1


def test_dropout_is_set_whatever_the_family_calls_it(tmp_path):
    from transformers import DistilBertConfig, DistilBertModel

    config = DistilBertConfig(vocab_size=9, n_layers=1, n_heads=1, dim=8, hidden_dim=8)
    DistilBertModel(config).save_pretrained(tmp_path)
    encoder = load(tmp_path, dropout=0.35)
    rates = {m.p for m in encoder.modules() if isinstance(m, torch.nn.Dropout)}
    assert rates == {0.35}


def test_an_fp16_checkpoint_is_loaded_in_float32(tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "half")
    weights = load_file(folder / "model.safetensors")
    halved = {name: tensor.half() for name, tensor in weights.items()}
    save_file(halved, folder / "model.safetensors", {"format": "pt"})
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"float32"', '"float16"'))
    assert '"float16"' in config.read_text()
    encoder = load(folder)
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}
    name = "embeddings.word_embeddings.weight"
    assert torch.equal(encoder.state_dict()[name], halved[name].float())


def test_dropout_is_the_one_of_the_settings(tiny):
    rates = {m.p for m in load(tiny, dropout=0.3).modules() if isinstance(m, torch.nn.Dropout)}
    assert rates == {0.3}


def test_no_pooling_layer_is_loaded(tiny):
    assert not [name for name in load(tiny).state_dict() if "pooler" in name]


def test_the_hash_changes_with_one_weight_and_not_with_the_folder(tiny, tmp_path):
    copy = shutil.copytree(tiny, tmp_path / "copy")
    assert checkpoint_hash(copy) == checkpoint_hash(tiny)
    weights = load_file(copy / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][5, 3] += 1e-3
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    assert checkpoint_hash(copy) != checkpoint_hash(tiny)


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json"])
def test_the_hash_changes_with_the_config_and_the_tokenizer(tiny, tmp_path, file):
    copy = shutil.copytree(tiny, tmp_path / "copy")
    (copy / file).write_text((copy / file).read_text() + "\n")
    assert checkpoint_hash(copy) != checkpoint_hash(tiny)


def test_a_local_folder_is_its_own_checkpoint(tiny):
    assert resolve_checkpoint(str(tiny)) == tiny


def test_a_folder_without_config_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"is a folder without config\.json"):
        resolve_checkpoint(str(tmp_path))


@pytest.mark.parametrize("name", ["no-such/backbone", "bert-base-multilingual", "./nowhere"])
def test_a_backbone_that_the_hub_does_not_give_is_refused_by_name(name, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=f"unknown backbone '{name}'.* use bundled:multilingual"):
        resolve_checkpoint(name)


def test_an_unknown_bundled_backbone_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="'bundled:e5'; bundled ones are: bundled:multiling"):
        resolve_checkpoint("bundled:e5")


def test_the_tokenizer_keeps_word_boundaries(tiny):
    assert load_tokenizer(tiny).is_fast

"""Neural translators: tiny checkpoints of both families that the tests build."""

import json
from pathlib import Path

import pytest
import sentencepiece
import torch
from transformers import (
    M2M100Config,
    M2M100ForConditionalGeneration,
    MarianConfig,
    MarianMTModel,
    NllbTokenizer,
)

from projection.errors import InputError
from projection.translators import LanguagePair
from tests.tiny import WORDS
from trainers.seq2seq import Seq2Seq

PAIR = LanguagePair("en", "es")
TEXTS = ["Anna visited Oslo.", "Berg", "the team of Nordic Rail on Friday", "Berg"]


@pytest.fixture(scope="module")
def marian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MarianMT checkpoint of nothing but chance, with real files."""
    folder = tmp_path_factory.mktemp("marian")
    corpus = folder / "corpus"
    corpus.write_text(WORDS.replace(" . ", " .\n"))
    for side in ("source", "target"):
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus), model_prefix=str(folder / side), vocab_size=60, minloglevel=2
        )
        (folder / f"{side}.model").rename(folder / f"{side}.spm")
        (folder / f"{side}.vocab").unlink()
    pieces = sentencepiece.SentencePieceProcessor(str(folder / "source.spm"))
    vocabulary = {pieces.id_to_piece(k): k for k in range(len(pieces))}
    vocabulary |= {"<pad>": len(vocabulary)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "MarianTokenizer"})
    )
    corpus.unlink()
    torch.manual_seed(3)
    padding = vocabulary["<pad>"]
    config = MarianConfig(
        vocab_size=len(vocabulary),
        pad_token_id=padding,
        eos_token_id=vocabulary["</s>"],
        decoder_start_token_id=padding,
        forced_eos_token_id=None,
        **_TINY,
    )
    MarianMTModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def nllb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An NLLB checkpoint of nothing but chance, with two languages."""
    folder = tmp_path_factory.mktemp("nllb")
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *sorted(set(WORDS) - {" "})]
    languages = ["eng_Latn", "spa_Latn"]
    tokenizer = NllbTokenizer(
        vocab={piece: k for k, piece in enumerate(pieces)},
        merges=[],
        additional_special_tokens=languages,
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(4)
    config = M2M100Config(
        vocab_size=len(tokenizer),
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=2,
        **_TINY,
    )
    M2M100ForConditionalGeneration(config).save_pretrained(folder)
    return folder


_TINY = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16,
    "max_position_embeddings": 64,
    "init_std": 1.0,
}


def _load(folder: Path, **settings):
    plain = {"beams": 2, "max_pieces": 40, "codes": {}, "device": torch.device("cpu")}
    return Seq2Seq(folder, **(plain | settings))


@pytest.mark.parametrize("family", ["marian", "nllb"])
def test_a_neural_translation_does_not_depend_on_the_other_texts(family, request):
    translator = _load(request.getfixturevalue(family))
    together = translator.translate(TEXTS, PAIR)
    assert together == [translator.translate([text], PAIR)[0] for text in TEXTS]
    assert together[1] == together[3]
    assert len(set(together)) > 1
    other = _load(request.getfixturevalue(family), beams=1)
    assert other.version(PAIR) != translator.version(PAIR)


def test_a_language_that_a_model_does_not_have_is_named_and_its_code_can_be_given(nllb):
    with pytest.raises(InputError, match=r"no language 'ca'.* one of: eng_Latn spa_Latn"):
        _load(nllb).version(LanguagePair("en", "ca"))
    assert "spa_Latn" in _load(nllb, codes={"ca": "spa_Latn"}).version(LanguagePair("en", "ca"))


def test_a_text_beyond_max_pieces_and_a_checkpoint_of_another_kind_are_refused(marian, tiny_bert):
    with pytest.raises(InputError, match="longer than the 8 of max_pieces"):
        _load(marian, max_pieces=8).translate(["Anna " * 20], PAIR)
    with pytest.raises(InputError, match="MarianMT, M2M100 or NLLB, got bert"):
        _load(tiny_bert)

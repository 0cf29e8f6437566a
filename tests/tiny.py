"""Tiny checkpoints of both families, built on the spot: BERT with WordPiece, XLM-R with Unigram.

Their vocabularies are worked out from ``WORDS`` by plain code, so that no trainer of tokenizers
decides what a test sees.
"""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaModel,
)

WORDS = (
    "Anna Berg visited Oslo and Bergen with the team of Nordic Rail on Friday . "
    "Ana visitó Oslo con el equipo . Anna besuchte Bergen mit der Mannschaft von Nordic Rail . "
    "Anna bezocht Oslo met de ploeg ; Tomás , Jürgen y Marieke salieron de Lima ! ¿ Quién ?"
)
"""Enough text in four languages for a vocabulary of some hundred pieces."""

LONG = 8
"""Words of so many letters are two pieces."""

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 140,
}


def _words() -> list[str]:
    return list(dict.fromkeys(WORDS.split()))


def _characters() -> list[str]:
    return sorted(set("".join(_words())))


def wordpiece_vocabulary(special: list[str]) -> list[str]:
    """``special``, every word (a long one as its halves), every character at both places."""
    pieces = list(special)
    for word in _words():
        half = len(word) // 2
        pieces += [word[:half], f"##{word[half:]}"] if len(word) >= LONG else [word]
    pieces += _characters()
    pieces += [f"##{character}" for character in _characters()]
    return list(dict.fromkeys(pieces))


def unigram_vocabulary(special: list[str]) -> list[tuple[str, float]]:
    """The same pieces with the logarithms of their chances; characters are the last resort."""
    whole = []
    for word in _words():
        half = len(word) // 2
        whole += [f"▁{word[:half]}", word[half:]] if len(word) >= LONG else [f"▁{word}"]
    characters = [one for one in ["▁", *_characters()] if one not in whole]
    scores = dict.fromkeys(special, 0.0) | dict.fromkeys(whole, -4.0)
    return list((scores | dict.fromkeys(characters, -9.0)).items())


def build_tiny_bert(folder: Path) -> Path:
    """A BERT checkpoint with a cased WordPiece tokenizer."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {piece: k for k, piece in enumerate(wordpiece_vocabulary(special))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.add_special_tokens(special)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(vocab_size=tokenizer.get_vocab_size(), **SIZES)
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def build_tiny_xlmr(folder: Path) -> Path:
    """An XLM-R checkpoint with a Unigram tokenizer; padding has id 1, positions count from it."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    vocabulary = unigram_vocabulary(special)
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=special.index("<unk>")))
    tokenizer.add_special_tokens(special)
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        **SIZES,
    )
    XLMRobertaModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder

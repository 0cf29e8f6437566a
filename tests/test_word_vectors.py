"""Word vectors are the mean of their pieces after a layer, whatever else is in the batch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from projection.errors import InputError
from trainers.word_vectors import WordEncoder

SENTENCES = [
    ("Anna", "visited", "Oslo"),
    ("Marieke", "bezocht", "de", "Mannschaft", "."),
    ("¿", "Quién", "?"),
]
CPU = torch.device("cpu")


def test_a_word_vector_is_the_mean_of_its_pieces_after_the_layer_at_unit_length(
    tiny: Path,
) -> None:
    tokenizer, model = AutoTokenizer.from_pretrained(tiny), AutoModel.from_pretrained(tiny).eval()
    embed = WordEncoder(tiny, 2, CPU)
    for words, vectors in zip(SENTENCES, embed(SENTENCES), strict=True):
        pieces = tokenizer([list(words)], is_split_into_words=True, return_tensors="pt")
        with torch.inference_mode():
            states = model(**pieces, output_hidden_states=True).hidden_states[2][0].numpy()
        of_word = pieces.word_ids(0)
        for place in range(len(words)):
            mean = states[[k for k, word in enumerate(of_word) if word == place]].mean(axis=0)
            expected = mean / np.linalg.norm(mean)
            np.testing.assert_allclose(vectors[place], expected, atol=1e-5)


def test_word_vectors_do_not_depend_on_the_other_sentences(tiny: Path) -> None:
    embed = WordEncoder(tiny, 1, CPU)
    for words, vectors in zip(SENTENCES, embed(SENTENCES), strict=True):
        np.testing.assert_allclose(vectors, embed([words])[0], atol=1e-5)
    assert embed([]) == []


def test_words_that_the_encoder_cannot_read_have_no_vector(tiny_bert: Path) -> None:
    embed = WordEncoder(tiny_bert, 1, CPU)
    [vectors] = embed([("Oslo",) * 300])
    lengths = np.linalg.norm(vectors, axis=1)
    assert set(lengths.round(4)) == {0.0, 1.0}
    assert (np.diff(lengths.round()) <= 0).all(), "only the last words have none"


def test_a_layer_that_the_encoder_does_not_have_is_refused(tiny_bert: Path) -> None:
    with pytest.raises(InputError, match="layer"):
        WordEncoder(tiny_bert, 9, CPU)

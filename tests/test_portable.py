"""Exported models: ordinary folders of transformers that predict what xlwarm predicts."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForTokenClassification,
    BertForTokenClassification,
    XLMRobertaForTokenClassification,
    pipeline,
)

from projection.errors import InputError
from projection.inputs import Input
from projection.records import Sentence, Span
from projection.schemes import TagScheme
from tests.examples import EVERYTHING
from trainers.backbones import BackboneSettings, load_encoder, load_tokenizer
from trainers.checkpoints import save_weights
from trainers.decoding import Decoding
from trainers.encoding import TagVocabulary, encode_corpus
from trainers.evaluation import predict_spans
from trainers.input_tagger import InputTagger
from trainers.portable import TrainedTagger, load_portable, portable_model, save_portable
from trainers.settings import TaggerSettings
from trainers.span_tagger import SpanTagger
from trainers.tagger import Tagger, build_tagger
from trainers.vocabulary import kept_pieces, renumber, trim_encoder

TAGS = {
    TagScheme.BIOES: TagVocabulary.of(("PER", "LOC"), TagScheme.BIOES),
    TagScheme.OI: TagVocabulary.of(("A0", "A1"), TagScheme.OI),
}
SRL = (Input.POS, Input.PREDICATE)
CLAUSES = tuple(
    replace(one, spans=(), pos=("NOUN", *["VERB"] * (len(one.tokens) - 1)), predicate=k % 3)
    for k, one in enumerate(EVERYTHING)
)


def random_tagger(base: Path, folder: Path, scheme: TagScheme, inputs=(), how=Decoding.ARGMAX):
    """A tagger on a trimmed vocabulary whose random weights give many spans, and its parts."""
    settings = BackboneSettings(name="tiny", num_layers=2, max_pieces=40)
    tags, tokenizer = TAGS[scheme], load_tokenizer(base)
    sizes = TaggerSettings(pos_size=4)
    tagger = build_tagger(base, settings, len(tags.tags), seed=3, inputs=inputs, beside=sizes)
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weights in tagger.parameters():
            weights.add_(torch.randn(weights.shape, generator=draw) * 0.2)
    corpus = encode(tokenizer, CLAUSES, tags, inputs)
    kept = kept_pieces([corpus.pieces], tokenizer)
    trim_encoder(tagger.encoder, kept)
    save_weights(tagger, folder / "weights.safetensors")
    parts = TrainedTagger(folder / "weights.safetensors", kept, base, settings, tags, inputs, how)
    return tagger.eval(), parts


def encode(tokenizer, sentences, tags, inputs):
    return encode_corpus(sentences, tokenizer, None, max_pieces=40, inputs=inputs)


def spans_of(tagger: Tagger, parts: TrainedTagger, sentences=CLAUSES) -> list[list[Span]]:
    """What xlwarm's own evaluation predicts."""
    corpus = encode(load_tokenizer(parts.checkpoint), sentences, parts.tags, parts.inputs)
    trimmed = replace(corpus, pieces=renumber(corpus.pieces, parts.kept))
    return predict_spans(tagger, trimmed, parts.tags, parts.decoding)


@pytest.fixture(scope="module")
def exports(tmp_path_factory, tiny_bert, tiny_xlmr):
    """Tagger, its parts and the folder that it was exported to, for each kind of head."""
    kinds = {
        "bert": (tiny_bert, TagScheme.BIOES, ()),
        "xlmr": (tiny_xlmr, TagScheme.BIOES, ()),
        "constrained": (tiny_xlmr, TagScheme.BIOES, (), Decoding.CONSTRAINED),
        "srl": (tiny_xlmr, TagScheme.OI, SRL),
    }
    made = {}
    for name, (base, *how) in kinds.items():
        folder = tmp_path_factory.mktemp(name)
        tagger, parts = random_tagger(base, folder, *how)
        save_portable(*portable_model(parts), folder / "model")
        made[name] = tagger, parts, folder / "model"
    return made


@pytest.fixture(params=["bert", "xlmr", "constrained", "srl"])
def exported(request, exports):
    return exports[request.param]


def as_input(sentence: Sentence, parts: TrainedTagger):
    if not parts.inputs:
        return {"tokens": list(sentence.tokens)}
    beside = {"pos": list(sentence.pos), "predicate": sentence.predicate}
    return {"tokens": list(sentence.tokens)} | beside


ALONE = """
import json, sys
for name in ("projection", "trainers", "orchestrator", "experiments", "ray", "mlflow"):
    sys.modules[name] = None  # an import of it fails
from transformers import pipeline
for line in sys.stdin:
    folder, inputs = json.loads(line)
    tag = pipeline("token-classification", model=folder, aggregation_strategy="simple",
                   trust_remote_code=True)
    found = tag(inputs)
    print(json.dumps([[(*one["words"], one["entity_group"]) for one in each] for each in found]))
"""


@pytest.mark.slow
def test_a_process_without_xlwarm_predicts_what_xlwarm_predicts(exports, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    lines = "".join(
        json.dumps([str(folder), [as_input(one, parts) for one in CLAUSES]]) + "\n"
        for _, parts, folder in exports.values()
    )
    command = [sys.executable, "-c", ALONE]
    shown = subprocess.run(
        command, input=lines, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    for line, (tagger, parts, _) in zip(shown.stdout.splitlines(), exports.values(), strict=True):
        found = [[Span(*one) for one in each] for each in json.loads(line)]
        assert found == spans_of(tagger, parts)
        assert sum(map(len, found)) > len(CLAUSES) // 2


def test_an_exported_folder_is_read_again_without_running_its_code(exported):
    tagger, parts, folder = exported
    for code in folder.glob("*.py"):
        code.write_text("raise SystemExit('was run')\n" + code.read_text())
    try:
        found = SpanTagger(*load_portable(folder)).tag(CLAUSES)
    finally:
        for code in folder.glob("*.py"):
            code.write_text(code.read_text().partition("\n")[2])
    assert [list(one.sentence.spans) for one in found] == spans_of(tagger, parts)


def test_a_linear_head_is_exported_as_the_familys_own_class(exported):
    _, parts, folder = exported
    if parts.inputs:
        pytest.skip("has inputs that the families' classes have no place for")
    model = AutoModelForTokenClassification.from_pretrained(folder)
    assert type(model) in (BertForTokenClassification, XLMRobertaForTokenClassification)
    assert model.config.id2label == dict(enumerate(parts.tags.tags))


def test_the_whole_vocabulary_is_there_and_pieces_that_were_not_trained_are_as_they_were(exported):
    tagger, parts, folder = exported
    model, tokenizer = load_portable(folder)
    table = model.get_input_embeddings().weight
    before = load_encoder(parts.checkpoint, parts.backbone).get_input_embeddings().weight
    assert len(table) == len(before) == model.get_input_embeddings().num_embeddings
    assert torch.equal(table[parts.kept.tolist()], tagger.word_embedding.weight)
    others = np.setdiff1d(np.arange(len(before)), parts.kept).tolist()
    assert others
    assert torch.equal(table[others], before[others])
    assert tokenizer.get_vocab() == load_tokenizer(parts.checkpoint).get_vocab()


def test_without_leave_to_run_its_code_the_pipeline_refuses_instead_of_tagging_pieces(exported):
    with pytest.raises(ValueError, match="trust_remote_code=True"):
        pipeline("token-classification", model=str(exported[2]), aggregation_strategy="simple")


@pytest.fixture(scope="module")
def bert(tmp_path_factory, tiny_bert):
    _, parts = random_tagger(tiny_bert, tmp_path_factory.mktemp("one"), TagScheme.BIOES)
    return SpanTagger(*portable_model(parts))


LONG = tuple(token for sentence in EVERYTHING for token in sentence.tokens) * 3


def test_words_of_a_long_text_are_tagged_in_excerpts_and_none_is_lost(bert):
    (tagged,) = bert.tag([Sentence("long", "en", LONG)])
    assert len(tagged.tags) == len(LONG)
    assert all(0 < score < 1 for score in tagged.scores)
    assert max(span.start for span in tagged.sentence.spans) > len(LONG) // 2


def test_what_an_excerpt_reads_is_tagged_as_if_it_stood_alone(bert):
    words = ("Anna", "visited", "Oslo", "and", "Lima", ".", "Ana") * 20  # a piece each
    room, overlap = 38, 9  # 40 pieces, two of them special; a quarter of what is left
    (tagged,) = bert.tag([Sentence("long", "en", words)])
    (alone,) = bert.tag([Sentence("start", "en", words[:room])])
    seam = room - (overlap - 1) // 2 - 1
    assert tagged.tags[:seam] == alone.tags[:seam]
    assert tagged.tags[:room] != alone.tags[:room]


def test_sentences_come_back_in_order_however_they_are_batched(bert, monkeypatch):
    sentences = [Sentence(str(k), "en", LONG[k : k + 1 + k * 7 % 11]) for k in range(30)]
    together = bert.tag(sentences)
    monkeypatch.setattr("trainers.span_tagger.PIECES_PER_BATCH", 1)
    alone = bert.tag(sentences)
    assert [one.sentence for one in together] == [one.sentence for one in alone]
    assert [one.sentence.id for one in together] == [one.id for one in sentences]


def test_a_model_that_is_given_pos_tags_refuses_a_sentence_without(tmp_path, tiny_bert):
    _, parts = random_tagger(tiny_bert, tmp_path, TagScheme.OI, SRL)
    model, tokenizer = portable_model(parts)
    assert isinstance(model, InputTagger)
    with pytest.raises(InputError, match="sentence s has no predicate"):
        SpanTagger(model, tokenizer).tag([Sentence("s", "en", ("Anna",))])

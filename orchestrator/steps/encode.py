"""``encode``: all corpora of a study as piece ids, and the encoder trimmed to the pieces used."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from orchestrator.fingerprints import Json, placement
from orchestrator.steps.base import Step, Surroundings
from orchestrator.steps.project import SENTENCES, ProjectStep
from orchestrator.steps.sources import Source, UnlabelledSource, found_checkpoint
from orchestrator.store import StepStore
from projection.inputs import Input
from projection.jsonl import read_sentences
from projection.records import Sentence
from projection.schemes import TagScheme

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

    from trainers.encoding import EncodedCorpus, TagVocabulary

BACKBONE = "backbone"
KEPT = "kept_pieces.safetensors"


@dataclass(frozen=True, kw_only=True)
class EncodeStep(Step):
    """Encode every corpus, keep the pieces that occur, cut the encoder to them (DESIGN §9).

    Test sets are encoded without labels: their identity here is that of their words.
    """

    kind: ClassVar[str] = "encode"

    backbone: str = placement()
    """Where the checkpoint comes from; ``checkpoint`` says what it is."""
    checkpoint: str
    """Hash of the checkpoint's files."""
    num_layers: int | None
    max_pieces: int
    scheme: TagScheme
    labels: tuple[str, ...]
    """Of the tag set, in its order."""
    inputs: tuple[Input, ...]
    """What models on this encoding are given beside the words."""
    source_language: str
    train: Source
    dev: Source
    tests: tuple[tuple[str, UnlabelledSource], ...]
    projections: tuple[ProjectStep, ...]

    @property
    def tags(self) -> "TagVocabulary":
        """Tags that models on this encoding predict."""
        from trainers.encoding import TagVocabulary

        return TagVocabulary.of(self.labels, self.scheme)

    def title(self) -> str:
        """Names the languages."""
        languages = [self.source_language, *(step.language for step in self.projections)]
        return f"encode {' '.join(languages)} and trim the vocabulary"

    def corpus(self, store: StepStore, split: str, language: str) -> "EncodedCorpus":
        """An encoded corpus of the finished step."""
        from trainers.encoding import EncodedCorpus

        return EncodedCorpus.load(store.folder(self) / f"{split}.{language}.safetensors")

    def run(self, folder: Path, around: Surroundings) -> dict[str, Json]:
        """Write ``<split>.<language>.safetensors``, the trimmed ``backbone/`` and the kept ids."""
        from trainers.backbones import (
            BackboneSettings,
            load_encoder,
            load_tokenizer,
        )
        from trainers.checkpoints import save_arrays
        from trainers.vocabulary import kept_pieces, trim_encoder

        checkpoint = found_checkpoint(self.backbone, self.checkpoint, around.store)
        tokenizer = load_tokenizer(checkpoint)
        encoded = self._encoded(around.store, tokenizer)
        kept = kept_pieces([corpus.pieces for corpus in encoded.values()], tokenizer)
        self._write_corpora(folder, encoded, kept)
        encoder = load_encoder(
            checkpoint,
            BackboneSettings(
                name=self.backbone, num_layers=self.num_layers, max_pieces=self.max_pieces
            ),
        )
        full_size = encoder.config.vocab_size
        trim_encoder(encoder, kept)
        encoder.save_pretrained(folder / BACKBONE)
        tokenizer.save_pretrained(folder / "tokenizer")
        save_arrays(folder / KEPT, {"kept": kept})
        return {
            "backbone": self.backbone,
            "pieces_kept": len(kept),
            "pieces_of_backbone": full_size,
            "cut_words": {name: corpus.num_cut_words for name, corpus in encoded.items()},
            "cut_predicates": {name: corpus.num_cut_predicates for name, corpus in encoded.items()},
        }

    def _encoded(
        self, store: StepStore, tokenizer: "PreTrainedTokenizerBase"
    ) -> "dict[str, EncodedCorpus]":
        from trainers.encoding import encode_corpus

        encoded: dict[str, EncodedCorpus] = {}
        for name, sentences in self._labelled(store).items():
            encoded[name] = encode_corpus(
                sentences,
                tokenizer,
                self.tags,
                max_pieces=self.max_pieces,
                inputs=self.inputs,
            )
        for language, test in self.tests:
            encoded[f"test.{language}"] = encode_corpus(
                test.read(store),
                tokenizer,
                None,
                max_pieces=self.max_pieces,
                inputs=self.inputs,
            )
        return encoded

    def _labelled(self, store: StepStore) -> dict[str, list[Sentence]]:
        corpora = {
            f"{split}.{self.source_language}": list(source.read(store).sentences)
            for split, source in (("train", self.train), ("dev", self.dev))
        }
        for step in self.projections:
            corpora[f"train.{step.language}"] = read_sentences(store.folder(step) / SENTENCES)
        return corpora

    @staticmethod
    def _write_corpora(
        folder: Path, encoded: "Mapping[str, EncodedCorpus]", kept: "NDArray[np.int32]"
    ) -> None:
        from trainers.vocabulary import renumber

        for name, corpus in encoded.items():
            trimmed = replace(corpus, pieces=renumber(corpus.pieces, kept))
            trimmed.save(folder / f"{name}.safetensors")

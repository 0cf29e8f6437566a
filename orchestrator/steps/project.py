"""``project``: pseudo-labels for one target language (paper §2.2)."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from orchestrator.fingerprints import Json, placement
from orchestrator.steps.base import Step, Surroundings
from orchestrator.steps.sources import InputFile, Source, found_checkpoint
from orchestrator.steps.translate import TRANSLATION, TranslateStep
from orchestrator.store import StepStore
from orchestrator.word_encoder import load_word_encoder
from projection.aligners import AlignmentSettings, EmbedWords, make_aligner
from projection.audit_cases import Case, make_cases
from projection.audit_page import audit_texts
from projection.given import given_projections
from projection.jsonl import write_sentences
from projection.mapping import MappingSettings, mapping_name
from projection.parallel import ParallelCorpus, read_parallel_text, read_translation
from projection.pos_taggers import PosSource, make_tagger, retagged
from projection.project import count_projections, labelled, project_corpus
from projection.records import Alignment, Corpus, Projection, Sentence
from projection.translators.quality import drop_unusable

SENTENCES = "sentences.jsonl"
COUNTS, AUDIT, AUDIT_PAGE = "counts.json", "audit.json", "audit.html"


@dataclass(frozen=True, kw_only=True)
class ProjectStep(Step):
    """Align a translation with its labelled source and map the labels."""

    kind: ClassVar[str] = "project"
    version: ClassVar[int] = 2
    shareable: ClassVar[tuple[str, ...]] = (COUNTS,)

    language: str
    source: Source
    translation: InputFile | TranslateStep
    links: InputFile | None
    """Alignment file of the ``pharaoh`` aligner."""
    aligner: str
    alignment: AlignmentSettings
    parallel_text: tuple[InputFile, ...]
    mapping: MappingSettings
    encoder: str | None = placement()
    """Where the encoder comes from that compares words; ``encoder_hash`` says what it is."""
    encoder_hash: str | None

    def title(self) -> str:
        """Names the language, the aligner and the mapping."""
        how = f"{self.aligner}, {mapping_name(self.mapping)}"
        return f"project labels onto {self.language} ({how})"

    @property
    def trains(self) -> bool:
        """True if an encoder compares words."""
        return self.encoder is not None

    def run(self, folder: Path, around: Surroundings) -> dict[str, Json]:
        """Write ``sentences.jsonl``, ``counts.json`` and the audit."""
        corpus = self._translated(self.source.read(around.store), around.store)
        alignments, projections = self.projected(corpus, around)
        write_sentences(self.tagged(labelled(projections)), folder / SENTENCES)
        counts = count_projections(projections)
        (folder / COUNTS).write_text(json.dumps(asdict(counts), indent=1))
        self._write_audit(make_cases(corpus, alignments, projections), folder)
        return {
            "sentences": counts.sentences,
            "kept": sum(counts.kept.values()),
            "drop_rate": counts.drop_rate,
        }

    @property
    def how(self) -> str:
        """A sentence for reports."""
        mapping = mapping_name(self.mapping)
        return f"Labels were projected with the aligner {self.aligner} and {mapping} mapping."

    def projected(
        self, corpus: ParallelCorpus, around: Surroundings
    ) -> tuple[Sequence[Alignment], list[Projection]]:
        """Links of every pair of ``corpus``, and what became of its labels along them."""
        store, embed = around.store, self._word_encoder(around)
        aligner = make_aligner(
            f"{self.aligner}:{self.links.found(store).path}" if self.links else self.aligner,
            self.alignment,
            embed=embed,
            extra=[
                pair
                for extra in self.parallel_text
                for pair in read_parallel_text(extra.found(store).path, extra.encoding)
            ],
        )
        alignments = aligner.align(corpus)
        return alignments, project_corpus(corpus, alignments, self.mapping, embed)

    def tagged(self, sentences: list[Sentence]) -> list[Sentence]:
        """``sentences`` with the POS tags that models are given: the projected ones, if any."""
        return sentences

    def _write_audit(self, cases: Sequence[Case], folder: Path) -> None:
        settings = describe_settings(self.aligner, self.alignment, self.mapping)
        source, target = self.source.language, self.language
        text, page = audit_texts(cases, source=source, target=target, settings=settings)
        (folder / AUDIT).write_text(text, encoding="utf-8")
        (folder / AUDIT_PAGE).write_text(page, encoding="utf-8")

    def _translated(self, source: Corpus, store: StepStore) -> ParallelCorpus:
        made = self.translation
        if isinstance(made, TranslateStep):
            return read_translation(source, store.folder(made) / TRANSLATION, self.language)
        path = made.found(store).path
        read = read_translation(source, path, self.language, encoding=made.encoding)
        return drop_unusable(read)

    def _word_encoder(self, around: Surroundings) -> EmbedWords | None:
        if self.encoder is None or self.encoder_hash is None:
            return None
        folder = found_checkpoint(self.encoder, self.encoder_hash, around.store)
        layer = self.alignment.layer
        return load_word_encoder(str(folder), layer, threads=self.cpus, device=around.device)


GIVEN = "given"
"""Stands for the aligner where nothing is aligned."""


@dataclass(frozen=True, kw_only=True)
class GivenLabelsStep(ProjectStep):
    """The labels that a translation came with, as if they had been projected."""

    labels: Source
    """The translation, read with its labels."""

    def title(self) -> str:
        """Names the language."""
        return f"take the labels of the translation into {self.language}"

    @property
    def how(self) -> str:
        """A sentence for reports."""
        return "Labels came with the translations; nothing was projected."

    def projected(
        self, corpus: ParallelCorpus, around: Surroundings
    ) -> tuple[Sequence[Alignment], list[Projection]]:
        """No links, and the given labels."""
        none = [Alignment(()) for _ in corpus.pairs]
        return none, given_projections(corpus, self.labels.read(around.store))


@dataclass(frozen=True, kw_only=True)
class TaggedProjectStep(ProjectStep):
    """The same, with POS tags of a tagger that has read the translation (paper, A.2)."""

    tagger: PosSource
    version_of_tagger: str

    def title(self) -> str:
        """Names the tagger, too."""
        return f"{super().title()}, POS by {self.tagger}"

    def tagged(self, sentences: list[Sentence]) -> list[Sentence]:
        """``sentences`` with the tagger's POS tags."""
        return retagged(sentences, make_tagger(self.tagger, self.language))


def describe_settings(
    aligner: str, alignment: AlignmentSettings, mapping: MappingSettings
) -> dict[str, str]:
    """What an audit says about how labels were projected: all that was not left at its default."""
    chosen = {
        **{
            f"alignment.{key}": value for key, value in alignment if value != _usual(alignment, key)
        },
        **{f"mapping.{key}": value for key, value in mapping if value != _usual(mapping, key)},
    }
    described = {key: str(value) for key, value in chosen.items()}
    return {"aligner": aligner, "mapping": str(mapping.rule)} | described


def _usual(settings: BaseModel, key: str) -> object:
    return type(settings).model_fields[key].default

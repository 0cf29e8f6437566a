"""``project``: pseudo-labels for one target language (paper §2.2)."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from orchestrator.fingerprints import Json, placement
from orchestrator.steps.base import Step, Surroundings
from orchestrator.steps.sources import InputFile, Source, found_checkpoint
from orchestrator.steps.translate import TRANSLATION, TranslateStep
from orchestrator.store import StepStore
from projection.aligners import AlignmentSettings, EmbedWords, make_aligner
from projection.jsonl import write_sentences
from projection.mapping import MappingSettings
from projection.parallel import ParallelCorpus, read_parallel_text, read_translation
from projection.project import count_projections, labelled, project_corpus
from projection.records import Corpus

SENTENCES = "sentences.jsonl"


@dataclass(frozen=True, kw_only=True)
class ProjectStep(Step):
    """Align a translation with its labelled source and map the labels."""

    kind: ClassVar[str] = "project"

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
        """Names the language and the aligner."""
        return f"project labels onto {self.language} ({self.aligner}, {self.mapping.rule})"

    @property
    def trains(self) -> bool:
        """True if an encoder compares words."""
        return self.encoder is not None

    def run(self, folder: Path, around: Surroundings) -> dict[str, Json]:
        """Write ``sentences.jsonl`` and ``counts.json``."""
        store = around.store
        corpus = self._translated(self.source.read(store), store)
        embed = self._word_encoder(around)
        aligner = make_aligner(
            self.aligner,
            self.alignment,
            path=self.links.found(store).path if self.links else None,
            embed=embed,
            extra=[
                pair
                for extra in self.parallel_text
                for pair in read_parallel_text(extra.found(store).path, extra.encoding)
            ],
        )
        projections = project_corpus(corpus, aligner.align(corpus), self.mapping, embed)
        write_sentences(labelled(projections), folder / SENTENCES)
        counts = count_projections(projections)
        (folder / "counts.json").write_text(json.dumps(asdict(counts), indent=1))
        return {
            "sentences": counts.sentences,
            "kept": sum(counts.kept.values()),
            "drop_rate": counts.drop_rate,
        }

    def _translated(self, source: Corpus, store: StepStore) -> ParallelCorpus:
        made = self.translation
        if isinstance(made, TranslateStep):
            return read_translation(source, store.folder(made) / TRANSLATION, self.language)
        path = made.found(store).path
        return read_translation(source, path, self.language, encoding=made.encoding)

    def _word_encoder(self, around: Surroundings) -> EmbedWords | None:
        if self.encoder is None or self.encoder_hash is None:
            return None
        import torch

        from trainers.word_vectors import WordEncoder

        torch.set_num_threads(self.cpus)
        folder = found_checkpoint(self.encoder, self.encoder_hash, around.store)
        return WordEncoder(folder, self.alignment.layer, around.device)

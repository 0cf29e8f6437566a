"""``project``: pseudo-labels for one target language (paper §2.2)."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from orchestrator.fingerprints import Json
from orchestrator.steps.base import InputFile, Step, Surroundings
from projection.aligners import AlignmentSettings, make_aligner
from projection.columns import read_columns
from projection.jsonl import write_sentences
from projection.mapping import MAPPINGS
from projection.parallel import read_translation
from projection.project import count_projections, labelled, project_corpus

SENTENCES = "sentences.jsonl"


@dataclass(frozen=True, kw_only=True)
class ProjectStep(Step):
    """Align a translation with its labelled source and map the labels."""

    kind: ClassVar[str] = "project"

    source_language: str
    language: str
    source: InputFile
    translation: InputFile
    links: InputFile | None
    """Alignment file of the ``pharaoh`` aligner."""
    aligner: str
    alignment: AlignmentSettings
    mapping: str
    labels: tuple[str, ...]

    def title(self) -> str:
        """Names the language and the aligner."""
        return f"project labels onto {self.language} ({self.aligner}, {self.mapping})"

    def run(self, folder: Path, around: Surroundings) -> dict[str, Json]:
        """Write ``sentences.jsonl`` and ``counts.json``."""
        source = read_columns(
            self.source.path,
            self.source_language,
            labels=self.labels,
            encoding=self.source.encoding,
        ).corpus
        corpus = read_translation(
            source, self.translation.path, self.language, encoding=self.translation.encoding
        )
        links = self.links.path if self.links else None
        aligner = make_aligner(self.aligner, self.alignment, path=links)
        projections = project_corpus(corpus, aligner, MAPPINGS[self.mapping])
        write_sentences(labelled(projections), folder / SENTENCES)
        counts = count_projections(projections)
        (folder / "counts.json").write_text(json.dumps(asdict(counts), indent=1))
        return {
            "sentences": counts.sentences,
            "kept": sum(counts.kept.values()),
            "drop_rate": counts.drop_rate,
        }

"""``evaluate``: the scores of one model on one test set; only here are test labels read."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from orchestrator.fingerprints import Json
from orchestrator.steps.base import Step, Surroundings
from orchestrator.steps.model import TrainedStep
from orchestrator.steps.sources import Source
from projection.columns import write_columns
from projection.schemes import TagScheme
from projection.scoring import SpanScore, score_spans

PREDICTIONS = "predictions.conll"


@dataclass(frozen=True, kw_only=True)
class EvaluateStep(Step):
    """Tag a test set and compare with its gold spans."""

    kind: ClassVar[str] = "evaluate"

    model: TrainedStep
    language: str
    test: Source

    @property
    def cpus(self) -> int:
        """As many as the model has threads."""
        return self.model.threads

    @property
    def trains(self) -> bool:
        """Runs the model."""
        return True

    def title(self) -> str:
        """Names the language and the model."""
        return f"test on {self.language}: {self.model.title()}"

    def run(self, folder: Path, around: Surroundings) -> dict[str, Json]:
        """Write ``predictions.conll`` and return the scores."""
        from orchestrator.steps.evaluators import trained_tagger
        from trainers.evaluation import predict_spans

        encoding = self.model.encoding
        tagger = trained_tagger(self.model, around)
        corpus = encoding.corpus(around.store, "test", self.language)
        predicted = predict_spans(tagger, corpus, encoding.tags, self.model.decoding)
        gold = self.test.read(around.store).sentences
        scores = score_spans([sentence.spans for sentence in gold], predicted)
        with (folder / PREDICTIONS).open("w", encoding="utf-8") as out:
            tagged = (
                replace(sentence, spans=tuple(spans))
                for sentence, spans in zip(gold, predicted, strict=True)
            )
            write_columns(tagged, out, TagScheme.BIO)
        return {
            "sentences": len(gold),
            "cut_words": corpus.num_cut_words,
            "micro": _as_json(scores.micro),
            "labels": {label: _as_json(score) for label, score in scores.labels.items()},
        }


def _as_json(score: SpanScore) -> dict[str, Json]:
    return {
        "f1": score.f1,
        "precision": score.precision,
        "recall": score.recall,
        "correct": score.correct,
        "gold": score.gold,
        "predicted": score.predicted,
    }

"""Which corpora went into a model and into its tests, for MLflow's lists of datasets."""

from collections.abc import Iterator

from orchestrator.fingerprints import fingerprint
from orchestrator.plan import RunSpec
from orchestrator.steps.evaluate import EvaluateStep
from orchestrator.steps.project import SENTENCES
from orchestrator.steps.sources import InputFile, Source
from orchestrator.store import StepStore
from orchestrator.tracking.content import DatasetUse

DIGITS = 32
"""Of a fingerprint; MLflow takes up to 36."""


def model_datasets(spec: RunSpec, store: StepStore) -> Iterator[DatasetUse]:
    """What a model was trained, warmed up and selected on."""
    encoding, model = spec.model.encoding, spec.model
    source = encoding.source_language
    if source in model.languages:
        yield _labelled(f"{source}-train", encoding.train, "training")
    warmed = model.warmup.languages if model.warmup else ()
    for projection in encoding.projections:
        contexts = [("training", model.languages), ("warm-up", warmed)]
        for context, languages in contexts:
            if projection.language in languages:
                name = f"{projection.language}-projected"
                path = store.root / projection.kind / projection.fingerprint / SENTENCES
                yield DatasetUse(
                    name, projection.fingerprint[:DIGITS], context, path.absolute().as_uri()
                )
    yield _labelled(f"{source}-dev", encoding.dev, "validation")


def test_dataset(evaluation: EvaluateStep) -> DatasetUse:
    """What a model was tested on."""
    return _labelled(f"{evaluation.language}-test", evaluation.test, "test")


def _labelled(name: str, source: Source, context: str) -> DatasetUse:
    first = source.files[0]
    place = first.path.absolute().as_uri() if isinstance(first, InputFile) else first.name
    return DatasetUse(name, fingerprint(source)[:DIGITS], context, place)

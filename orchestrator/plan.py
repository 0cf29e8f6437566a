"""From a study to the models it asks for and the steps that make them (DESIGN §6)."""

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from orchestrator.data_settings import DataSettings
from orchestrator.fingerprints import fingerprint
from orchestrator.steps.average import AverageStep
from orchestrator.steps.base import Step
from orchestrator.steps.encode import EncodeStep
from orchestrator.steps.evaluate import EvaluateStep
from orchestrator.steps.finetune import FinetuneStep
from orchestrator.steps.model import TrainedStep
from orchestrator.steps.probe import ProbeStep
from orchestrator.steps.project import GIVEN, GivenLabelsStep, ProjectStep, TaggedProjectStep
from orchestrator.steps.sources import UnlabelledSource
from orchestrator.steps.vote import VoteStep
from orchestrator.steps.warmup import WarmupStep
from orchestrator.study import Study
from orchestrator.study_data import StudyData
from projection.aligners import PHARAOH, AlignmentSettings
from projection.mapping import PAPER, Rule
from projection.pos_taggers import PosSource, tagger_version
from projection.schemes import TagScheme
from trainers.backbones import checkpoint_hash, resolve_checkpoint
from trainers.strategies import Strategy, strategy


@dataclass(frozen=True)
class RunSpec:
    """One trained model of a study: a strategy, a seed and the target languages it serves."""

    strategy: str
    seed: int
    targets: tuple[str, ...]
    model: TrainedStep
    evaluations: tuple[EvaluateStep, ...]
    """One for each of ``targets``, in their order."""

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the model's place in the paper's tables."""
        return fingerprint([self.strategy, self.seed, list(self.targets), self.model.fingerprint])

    def result_fingerprint(self, language: str) -> str:
        """Identity of the model's result on one of ``targets``."""
        return fingerprint([self.fingerprint, language])

    @property
    def name(self) -> str:
        """``bilingual-de-seed1``, or ``mtl-ws-seed1`` where one model serves all."""
        served = "" if strategy(self.strategy).once_for_all else f"-{self.targets[0]}"
        return f"{self.strategy}{served}-seed{self.seed}"


@dataclass(frozen=True)
class Plan:
    """A study's models, and every distinct step behind them, needed ones first."""

    study: Study
    specs: tuple[RunSpec, ...]
    steps: tuple[Step, ...]

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the whole study."""
        return fingerprint(sorted(spec.fingerprint for spec in self.specs))


def make_plan(study: Study) -> Plan:
    """Expand ``study``; reads and checks its data files, computes nothing.

    Raises:
        InputError: A file or the backbone cannot be had, or a file is not what it should be.
    """
    specs = Planner().specs(study)
    return Plan(study, specs, tuple(_distinct(specs)))


ENCODED = ("data_root", "data", "task", "source", "targets")
PIECES = {"name": True, "num_layers": True, "max_pieces": True}
"""Settings of a study, and of its backbone, that its encoding depends on."""


class Planner:
    """Expands studies that differ in some settings only: equal data are read and checked once."""

    def __init__(self) -> None:
        self._encodings: dict[str, tuple[StudyData, EncodeStep]] = {}

    def specs(self, study: Study) -> tuple[RunSpec, ...]:
        """The models of ``study``.

        Raises:
            InputError: See :func:`make_plan`.
        """
        data, encoding = self._encoded(study)
        return tuple(
            _spec(study, data, encoding, name, seed, served)
            for seed in study.seeds
            for name in study.strategies
            for served in _served(strategy(name), study.targets)
        )

    def _encoded(self, study: Study) -> tuple[StudyData, EncodeStep]:
        key = study.model_dump_json(include=dict.fromkeys(ENCODED, True) | {"backbone": PIECES})
        if key not in self._encodings:
            data = StudyData(study)
            with no_collections():
                labels = study.task.labels_in(data.check().sentences)
                self._encodings[key] = data, _encoding(study, data, labels)
        return self._encodings[key]


@contextmanager
def no_collections() -> Iterator[None]:
    """Python looks for no cycles meanwhile: corpora are millions of objects without any, and
    looking through them again and again takes a fifth of the time of reading them.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _served(adaptation: Strategy, targets: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [targets] if adaptation.once_for_all else [(target,) for target in targets]


def _distinct(specs: Iterable[RunSpec]) -> list[Step]:
    found: dict[str, Step] = {}

    def visit(step: Step) -> None:
        if step.fingerprint not in found:
            for needed in step.needs:
                visit(needed)
            found[step.fingerprint] = step

    for spec in specs:
        for evaluation in spec.evaluations:
            visit(evaluation)
    return list(found.values())


def _encoding(study: Study, data: StudyData, labels: tuple[str, ...]) -> EncodeStep:
    backbone = study.backbone
    return EncodeStep(
        backbone=backbone.name,
        checkpoint=checkpoint_hash(resolve_checkpoint(backbone.name)),
        num_layers=backbone.num_layers,
        max_pieces=backbone.max_pieces,
        scheme=study.task.scheme,
        labels=labels,
        inputs=study.task.inputs,
        source_language=study.source,
        train=data.train,
        dev=data.dev,
        tests=tuple((target, UnlabelledSource.of(data.test(target))) for target in study.targets),
        projections=tuple(_projection(study, data, target) for target in study.translated),
    )


def _projection(study: Study, data: StudyData, language: str) -> ProjectStep:
    settings = study.data
    if labels := data.given_labels(language):
        return GivenLabelsStep(
            language=language,
            source=data.train,
            translation=data.translation(language),
            links=None,
            aligner=GIVEN,
            alignment=AlignmentSettings(),
            parallel_text=(),
            mapping=PAPER,
            encoder=None,
            encoder_hash=None,
            labels=labels,
        )
    links, encoder = data.links(language), _encoder(settings)
    one_word = study.task.scheme is TagScheme.OI and settings.mapping.rule is Rule.SPANS
    projected = ProjectStep(
        language=language,
        source=data.train,
        translation=data.translation(language),
        links=links,
        aligner=PHARAOH if links else settings.aligner,
        alignment=settings.alignment,
        parallel_text=data.parallel_text(language),
        mapping=settings.mapping.model_copy(update={"one_word": one_word}),
        encoder=settings.encoder if encoder else None,
        encoder_hash=checkpoint_hash(encoder) if encoder else None,
    )
    return projected if settings.pos is PosSource.PROJECTED else _tagged(projected, settings.pos)


def _tagged(step: ProjectStep, tagger: PosSource) -> TaggedProjectStep:
    inherited = {each.name: getattr(step, each.name) for each in fields(step)}
    return TaggedProjectStep(**inherited, tagger=tagger, version_of_tagger=tagger_version(tagger))


def _encoder(data: DataSettings) -> Path | None:
    """Checkpoint of the encoder that the alignment or the mapping compares words with."""
    return resolve_checkpoint(data.encoder) if data.compares_words else None


def _spec(
    study: Study,
    data: StudyData,
    encoding: EncodeStep,
    name: str,
    seed: int,
    served: tuple[str, ...],
) -> RunSpec:
    model = _model(study, encoding, strategy(name), seed, served)
    evaluations = tuple(
        EvaluateStep(model=model, language=language, test=data.test(language))
        for language in served
    )
    return RunSpec(name, seed, served, model, evaluations)


def _model(
    study: Study,
    encoding: EncodeStep,
    adaptation: Strategy,
    seed: int,
    served: tuple[str, ...],
) -> TrainedStep:
    built: dict[str, Any] = {
        "encoding": encoding,
        "dropout": study.backbone.dropout,
        "tagger": study.tagger,
        "seed": seed,
        "threads": study.threads,
        "probe": _probe(study, encoding),
        "languages": adaptation.training_languages(study.source, served),
        "decoding": study.decoding,
        "warmup": _warmup(study, encoding, seed) if adaptation.warm_start else None,
    }
    if not adaptation.members:
        return FinetuneStep(training=study.training, **built)
    parts = {
        part.fingerprint: part  # with one target, bilingual and multilingual are the same model
        for name in adaptation.members
        for each in _served(strategy(name), study.targets)
        for part in [_model(study, encoding, strategy(name), seed, each)]
    }
    joint = VoteStep if adaptation.votes else AverageStep
    return joint(models=tuple(parts.values()), **built)


def _warmup(study: Study, encoding: EncodeStep, seed: int) -> WarmupStep:
    return WarmupStep(
        encoding=encoding,
        dropout=study.backbone.dropout,
        tagger=study.tagger,
        seed=seed,
        threads=study.threads,
        probe=_probe(study, encoding),
        languages=tuple(sorted(study.targets)),
        settings=study.warmup,
        batch_size=study.training.batch_size,
    )


def _probe(study: Study, encoding: EncodeStep) -> ProbeStep:
    return ProbeStep(
        encoding=encoding,
        dropout=study.backbone.dropout,
        tagger=study.tagger,
        seed=0,
        threads=study.threads,
        batch_size=study.training.batch_size,
    )

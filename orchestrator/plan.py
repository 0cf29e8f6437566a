"""From a study to the models it asks for and the steps that make them (DESIGN §6)."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from orchestrator.fingerprints import file_hash, fingerprint
from orchestrator.steps.base import InputFile, Step, words_only
from orchestrator.steps.encode import EncodeStep
from orchestrator.steps.evaluate import EvaluateStep
from orchestrator.steps.finetune import FinetuneStep
from orchestrator.steps.project import ProjectStep
from orchestrator.steps.warmup import WarmupStep
from orchestrator.study import DataSettings, FileSettings, Study
from projection.aligners import PHARAOH, PharaohFile, needs_encoder
from projection.columns import read_columns
from projection.errors import InputError
from projection.inputs import check_inputs
from projection.parallel import read_parallel_text, read_translation
from projection.records import Corpus
from projection.schemes import TagScheme
from trainers.backbones import checkpoint_hash, resolve_checkpoint
from trainers.strategies import Strategy, strategy


@dataclass(frozen=True)
class RunSpec:
    """One trained model of a study: a strategy, a seed and the target languages it serves."""

    strategy: str
    seed: int
    targets: tuple[str, ...]
    model: FinetuneStep
    evaluations: tuple[EvaluateStep, ...]
    """One for each of ``targets``, in their order."""

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the model's place in the paper's tables."""
        return fingerprint([self.strategy, self.seed, list(self.targets), self.model.fingerprint])

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
    training = check_files(study)
    encoding = _encoding(study, study.task.labels_in(training.sentences))
    specs = tuple(
        _spec(study, encoding, name, seed, served)
        for seed in study.seeds
        for name in study.strategies
        for served in _served(strategy(name), study.targets)
    )
    return Plan(study, specs, tuple(_distinct(specs)))


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


def _file(study: Study, settings: FileSettings, language: str) -> InputFile:
    path = study.path(settings.path, language)
    return InputFile(path=path, encoding=settings.encoding, content=file_hash(path))


def _encoding(study: Study, labels: tuple[str, ...]) -> EncodeStep:
    data, backbone = study.data, study.backbone
    checkpoint = resolve_checkpoint(backbone.name)
    tests = [(target, data.of(data.test, target)) for target in study.targets]
    return EncodeStep(
        backbone=backbone.name,
        checkpoint=checkpoint_hash(checkpoint),
        num_layers=backbone.num_layers,
        max_pieces=backbone.max_pieces,
        scheme=study.task.scheme,
        labels=labels,
        inputs=study.task.inputs,
        source_language=study.source,
        train=_file(study, data.train, study.source),
        dev=_file(study, data.dev, study.source),
        tests=tuple(
            (target, words_only(study.path(file.path, target), file.encoding))
            for target, file in tests
        ),
        projections=tuple(_projection(study, target) for target in study.targets),
    )


def _projection(study: Study, language: str) -> ProjectStep:
    data = study.data
    links = _file(study, FileSettings(path=study.links), language) if study.links else None
    encoder = _encoder(data)
    return ProjectStep(
        source_language=study.source,
        language=language,
        source=_file(study, data.train, study.source),
        translation=_file(study, data.of(data.translations, language), language),
        links=links,
        aligner=PHARAOH if links else data.aligner,
        alignment=data.alignment,
        parallel_text=tuple(_file(study, extra, language) for extra in data.parallel_text),
        mapping=data.mapping.model_copy(update={"one_word": True})
        if study.task.scheme is TagScheme.OI
        else data.mapping,
        encoder=data.encoder if encoder else None,
        encoder_hash=checkpoint_hash(encoder) if encoder else None,
        labels=study.task.labels,
    )


def _encoder(data: DataSettings) -> Path | None:
    """Checkpoint of the encoder that the alignment or the mapping compares words with."""
    if needs_encoder(data.aligner, data.alignment) or data.mapping.rescore:
        return resolve_checkpoint(data.encoder)
    return None


def _spec(
    study: Study, encoding: EncodeStep, name: str, seed: int, served: tuple[str, ...]
) -> RunSpec:
    adaptation = strategy(name)
    warmup = _warmup(study, encoding, seed) if adaptation.warm_start else None
    model = FinetuneStep(
        encoding=encoding,
        dropout=study.backbone.dropout,
        tagger=study.tagger,
        seed=seed,
        threads=study.threads,
        languages=adaptation.training_languages(study.source, served),
        training=study.training,
        warmup=warmup,
    )
    evaluations = tuple(
        EvaluateStep(
            model=model,
            language=language,
            test=_file(study, study.data.of(study.data.test, language), language),
        )
        for language in served
    )
    return RunSpec(name, seed, served, model, evaluations)


def _warmup(study: Study, encoding: EncodeStep, seed: int) -> WarmupStep:
    return WarmupStep(
        encoding=encoding,
        dropout=study.backbone.dropout,
        tagger=study.tagger,
        seed=seed,
        threads=study.threads,
        languages=tuple(sorted(study.targets)),
        settings=study.warmup,
        batch_size=study.training.batch_size,
    )


def check_files(study: Study) -> Corpus:
    """Read every data file once, so that a bad row is found before anything is started.

    That the files exist is checked where the study is read. A label of the development set that the
    training corpus lacks is refused, because no model could learn it; one of a test set counts
    against every model.

    Returns:
        The labelled source training corpus.

    Raises:
        InputError: The first thing that is wrong, with file and line.
    """
    data, labels = study.data, study.task.labels
    train = _labelled(study, data.train, study.source, labels)
    _labelled(study, data.dev, study.source, study.task.labels_in(train.sentences))
    for target in study.targets:
        _labelled(study, data.of(data.test, target), target, labels)
        translation = data.of(data.translations, target)
        path = study.path(translation.path, target)
        pairs = read_translation(train, path, target, encoding=translation.encoding)
        if study.links:
            PharaohFile(study.path(study.links, target)).align(pairs)
        for extra in data.parallel_text:
            read_parallel_text(study.path(extra.path, target), extra.encoding)
    return train


def _labelled(
    study: Study, settings: FileSettings, language: str, labels: tuple[str, ...]
) -> Corpus:
    path = study.path(settings.path, language)
    corpus = read_columns(path, language, labels=labels, encoding=settings.encoding).corpus
    try:
        check_inputs(corpus.sentences, study.task.inputs)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return corpus

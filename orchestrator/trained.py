"""Finding a trained model in a store: by the name that a study gives it, by a fingerprint, or by
the id of an MLflow run."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.plan import Plan, RunSpec
from orchestrator.steps.encode import KEPT
from orchestrator.steps.sources import found_checkpoint
from orchestrator.steps.warmup import WEIGHTS
from orchestrator.store import StepStore
from orchestrator.study import nearest
from projection.errors import InputError
from projection.inputs import Input
from projection.schemes import TagScheme

if TYPE_CHECKING:
    from trainers.portable import TrainedTagger

EVALUATE, ENCODE, VOTE = "evaluate", "encode", "vote"
MODELS = ("finetune", "average")
"""Kinds of steps whose results are models."""

HEXADECIMAL = re.compile(r"[0-9a-f]{6,64}")
MLFLOW_ID_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Finished:
    """A step of which no more is known than where its result is."""

    kind: str
    fingerprint: str


@dataclass(frozen=True)
class TrainedModel:
    """A finished model of a store, told by the records of its steps.

    Args:
        store: That has it.
        fingerprint: Of the step that made it, one of ``MODELS``.
        study: That names it, or None.
        spec: What the study says of it, or None.
    """

    store: StepStore
    fingerprint: str
    study: str | None = None
    spec: RunSpec | None = None

    @cached_property
    def record(self) -> Mapping[str, Any]:
        """Of the step that made it."""
        return self.store.record(self._step)

    @cached_property
    def _step(self) -> Finished:
        return _model_step(self.fingerprint, self.store)

    @cached_property
    def encoding(self) -> Mapping[str, Any]:
        """Record of the ``encode`` step."""
        return self.store.record(self._encode_step)

    @property
    def _encode_step(self) -> Finished:
        return Finished(ENCODE, self.record["inputs"]["encoding"])

    @property
    def name(self) -> str:
        """As the study calls it, else the first digits of its fingerprint."""
        return self.spec.name if self.spec else self.fingerprint[:12]

    @property
    def backbone(self) -> str:
        """As the study calls it.

        Raises:
            InputError: Neither a study nor the store says.
        """
        name = self.spec.model.encoding.backbone if self.spec else None
        name = name or self.encoding["outputs"].get("backbone")
        if name is None:
            raise InputError(
                f"the store does not say which backbone {self.fingerprint[:12]} was trained from; "
                "name the study with --study"
            )
        return str(name)

    @cached_property
    def evaluations(self) -> list[Mapping[str, Any]]:
        """Records of its finished tests, by language."""
        found = [record for record in self._tests() if record]
        return sorted(found, key=lambda record: str(record["inputs"]["language"]))

    def _tests(self) -> Iterator[Mapping[str, Any] | None]:
        if self.spec:
            for step in self.spec.evaluations:
                yield self.store.record(step) if self.store.has_result(step) else None
            return
        for name in self.store.files.names(EVALUATE):
            record, _ = self.store.examine(f"{EVALUATE}/{name}")
            yield record if record and record["inputs"]["model"] == self.fingerprint else None

    @cached_property
    def warmup(self) -> Mapping[str, Any] | None:
        """Record of the warm-up that it started from, or None."""
        step = self.record["inputs"]["warmup"]
        return self.store.record(Finished("warmup", step)) if step else None

    @cached_property
    def projections(self) -> list[Mapping[str, Any]]:
        """Records of the pseudo-labelled corpora of the study."""
        steps = self.encoding["inputs"]["projections"]
        return [self.store.record(Finished("project", step)) for step in steps]

    @cached_property
    def file_names(self) -> Mapping[str, str]:
        """Of the corpora that the study names, by the hash of their content."""
        if self.spec is None:
            return {}
        encoding = self.spec.model.encoding
        tests = [evaluation.test for evaluation in self.spec.evaluations]
        files = [file for source in (encoding.train, encoding.dev, *tests) for file in source.files]
        return {file.content: Path(file.name).name for file in files}

    def parts(self) -> "TrainedTagger":
        """Where its parts are on this machine.

        Raises:
            InputError: The backbone cannot be had, or is another one by now.
        """
        from safetensors.numpy import load_file

        from trainers.backbones import BackboneSettings
        from trainers.decoding import Decoding
        from trainers.encoding import TagVocabulary
        from trainers.portable import TrainedTagger

        encoded = self.encoding["inputs"]
        settings = BackboneSettings(
            name=self.backbone,
            num_layers=encoded["num_layers"],
            max_pieces=encoded["max_pieces"],
            dropout=self.record["inputs"]["dropout"],
        )
        return TrainedTagger(
            weights=self.store.folder(self._step) / WEIGHTS,
            kept=load_file(self.store.folder(self._encode_step) / KEPT)["kept"],
            checkpoint=found_checkpoint(self.backbone, encoded["checkpoint"], self.store),
            backbone=settings,
            tags=TagVocabulary.of(encoded["labels"], TagScheme(encoded["scheme"])),
            inputs=tuple(Input(name) for name in encoded["inputs"]),
            decoding=Decoding(self.record["inputs"].get("decoding", Decoding.ARGMAX)),
        )


def find_model(run: str, store: StepStore, plan: Plan | None, tracking: str) -> TrainedModel:
    """The finished model that ``run`` stands for.

    Args:
        run: With a plan, the name of one of its models (``mtl-ws-seed1``); with or without, the
            first digits (6 or more) of the fingerprint of a model's or an ``evaluate`` step, or
            the id of an MLflow run of a model or result.
        store: That has it.
        plan: Of the study, or None.
        tracking: MLflow URI, for a run id.

    Raises:
        InputError: There is no such model, or more than one, or it is not trained yet.
    """
    named = {spec.name: spec for spec in plan.specs} if plan else {}
    if run not in named and not HEXADECIMAL.fullmatch(run):
        what = nearest(run, list(named)) if named else "; name the study with --study"
        raise InputError(f"unknown run {run!r}{what}")
    step = named[run].model.fingerprint if run in named else _by_digits(run, store, tracking)
    # One model may have two names: bilingual and multilingual are the same with one target.
    spec = named.get(run) or next((s for s in named.values() if s.model.fingerprint == step), None)
    if store.has_result(Finished(VOTE, step)):
        models = store.record(Finished(VOTE, step))["inputs"]["models"]
        raise InputError(
            f"{run} is a vote of {len(models)} models and has no weights of its own; name one of "
            f"them: {', '.join(one[:12] for one in models)}"
        )
    found = _model_step(step, store)
    if store.has_result(found) and not store.is_done(found):
        raise InputError(
            f"of {run} only the results are in the store {store.location}: they were imported. The "
            "model is in the store that trained it, or trained again in a store without them"
        )
    if not store.is_done(found):
        raise InputError(
            f"{run} is not trained yet, or not in the store {store.location}; `xlwarm run` trains "
            "what is missing"
        )
    return TrainedModel(store, step, plan.study.name if plan and spec else None, spec)


def _by_digits(digits: str, store: StepStore, tracking: str) -> str:
    """Fingerprint of the model's step."""
    found = {
        f"{kind}/{name}"
        for kind in (*MODELS, VOTE, EVALUATE)
        for name in store.files.names(kind)
        if name.startswith(digits)
    }
    if not found and len(digits) == MLFLOW_ID_DIGITS:
        from orchestrator.mlflow_runs import logged_step

        step = logged_step(digits, tracking)
        found = {f"{kind}/{step}" for kind in (*MODELS, VOTE, EVALUATE)}
        found = {name for name in found if store.examine(name)[0]}
    if len(found) != 1:
        problem = "begins several fingerprints" if found else "begins no fingerprint of a model"
        raise InputError(f"{digits} {problem} in the store {store.location}")
    (name,) = found
    kind, _, step = name.partition("/")
    if kind != EVALUATE:
        return step
    return str(store.record(Finished(EVALUATE, step))["inputs"]["model"])


def _model_step(fingerprint: str, store: StepStore) -> Finished:
    """The step with this fingerprint that made a model; a training if there is none yet."""
    steps = [Finished(kind, fingerprint) for kind in MODELS]
    return next((step for step in steps if store.has_result(step)), steps[0])

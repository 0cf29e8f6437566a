"""From a study with a ``sweep`` block to its trials, and from a trial to the steps it needs."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import count

from pydantic import ValidationError

from orchestrator.fingerprints import canonical, fingerprint
from orchestrator.inputs import inputs_of
from orchestrator.plan import Planner, RunSpec
from orchestrator.sharing import behind
from orchestrator.steps.base import Step
from orchestrator.steps.finetune import FinetuneStep
from orchestrator.steps.model import TrainedStep
from orchestrator.steps.sources import UnlabelledSource
from orchestrator.steps.warmup import WarmupStep
from orchestrator.study import Study
from orchestrator.study_data import StudyData
from orchestrator.study_file import problem_in
from orchestrator.sweep.naming import value_of, with_settings
from orchestrator.sweep.records import Cost, Sweep, Trial
from orchestrator.sweep.settings import SweepSettings
from orchestrator.sweep.space import Range, Settings, Value, Values
from projection.errors import InputError
from trainers.backbones import checkpoint_hash, resolve_checkpoint

ROUNDS = "warmup.rounds"

PLACES = {"name", "data_root", "cluster", "resources"}
NOT_SHARED = PLACES | {"strategies", "seeds", "sweep", "chosen", "data"}
"""Parts of a study that are no part of what the trials have in common, or enter by content."""


def sweep_block(study: Study) -> SweepSettings:
    """What ``study`` says of its sweep.

    Raises:
        InputError: Nothing.
    """
    if study.sweep is None:
        raise InputError(
            f"the study {study.name} has no `sweep:` block; it says what is varied, such as "
            "sweep: {parameters: {training.learning_rate: [1.0e-5, 5.0e-5]}} (docs/sweeps.md)"
        )
    return study.sweep


def seeds_of(study: Study) -> tuple[int, ...]:
    """Of every trial."""
    return sweep_block(study).seeds or study.seeds


def sweep_fingerprint(study: Study) -> str:
    """What all trials of ``study`` have in common; equal for a space that has grown.

    Raises:
        InputError: A data file cannot be read.
    """
    sweep, data = sweep_block(study), StudyData(study)
    common = study.model_dump(mode="json", exclude=NOT_SHARED)
    projection = study.data.model_dump(
        mode="json", exclude={"train", "dev", "test", "translations", "parallel_text"}
    )
    common["data"] = projection
    for name in sweep.parameters:
        _remove(common, name.split("."))
    backbone = study.backbone.name
    swept_backbone = "backbone.name" in sweep.parameters
    return fingerprint(
        {
            "settings": common,
            "swept": sorted(sweep.parameters),
            "strategy": sweep.strategy,
            "metric": sweep.metric,
            "seeds": seeds_of(study),
            "checkpoint": None if swept_backbone else checkpoint_hash(resolve_checkpoint(backbone)),
            "train": canonical(data.train),
            "dev": canonical(data.dev),
            "targets": [
                [
                    target,
                    data.translation(target) if target in study.translated else None,
                    UnlabelledSource.of(data.test(target)),
                ]
                for target in study.targets
            ],
        }
    )


def _remove(content: Settings, keys: Sequence[str]) -> None:
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    inner.pop(keys[-1], None)


def sweep_of(study: Study) -> Sweep:
    """The record of the sweep that ``study`` asks for, begun now."""
    sweep = sweep_block(study)
    return Sweep(
        fingerprint=sweep_fingerprint(study),
        study=study.name,
        task=study.task.name,
        backbone=study.backbone.name,
        strategy=sweep.strategy,
        source=study.source,
        targets=study.targets,
        parameters=sweep.parameters,
        base={name: value_of(study, name) for name in sweep.parameters},
        metric=sweep.metric,
        searcher=sweep.searcher,
        scheduler=sweep.scheduler.name,
        seeds=seeds_of(study),
        trials=sweep.trials,
        minutes=sweep.minutes,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def trial_id(sweep: str, settings: Settings) -> str:
    """Identity of the trial of ``settings`` in the sweep of that fingerprint."""
    return fingerprint([sweep, settings])


class TrialPlanner:
    """Expands settings to models, reading equal data once.

    Args:
        study: With a ``sweep`` block.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self._planner = Planner()

    def settings(self, drawn: Settings) -> Settings:
        """``drawn`` as the study would hold it: numbers that were text, numpy's numbers as ours.

        Raises:
            InputError: They do not go together.
        """
        space = sweep_block(self.study).parameters
        study = self.trial_study(
            {name: _rounded(space.get(name), value) for name, value in drawn.items()}
        )
        return {name: value_of(study, name) for name in sorted(drawn)}

    def trial_study(self, settings: Settings) -> Study:
        """The study that trains one trial.

        Raises:
            InputError: The settings do not go together.
        """
        sweep = sweep_block(self.study)
        fixed = {"strategies": (sweep.strategy,), "seeds": seeds_of(self.study)}
        plain = {
            name: getattr(value, "item", lambda v=value: v)() for name, value in settings.items()
        }
        try:
            return with_settings(self.study, plain | fixed)
        except ValidationError as errors:
            found = "; ".join(problem_in(error, Study) for error in errors.errors())
            raise InputError(f"these settings do not go together: {found}") from None

    def models(self, settings: Settings) -> tuple[RunSpec, ...]:
        """What a trial trains, seed by seed.

        Raises:
            InputError: The settings do not go together, or the data cannot be read.
        """
        specs = self._planner.specs(self.trial_study(settings))
        return tuple(replace(spec, model=self._on_the_way(spec.model)) for spec in specs)

    def _on_the_way(self, model: TrainedStep) -> TrainedStep:
        warmup = model.warmup
        if warmup is None or not self._waypoints:
            return model
        before = tuple(rounds for rounds in self._waypoints if rounds < warmup.settings.rounds)
        return replace(model, warmup=replace(warmup, waypoints=before))

    @cached_property
    def _waypoints(self) -> tuple[int, ...]:
        """Numbers of rounds that some trial may end its warm-up with."""
        parameter = sweep_block(self.study).parameters.get(ROUNDS)
        values = parameter.values if isinstance(parameter, Values) else ()
        return tuple(sorted(int(value) for value in values))


def _rounded(parameter: Range | Values | None, value: Value) -> Value:
    if isinstance(parameter, Range) and isinstance(value, int | float):
        return parameter.rounded(value)
    return value


def steps_of(specs: Sequence[RunSpec]) -> list[Step]:
    """Every distinct step behind the models of a trial, needed ones first; no evaluation."""
    found: dict[str, Step] = {}
    for spec in specs:
        found |= {step.fingerprint: step for step in behind(spec.model)}
    return list(found.values())


def used_by(steps: Sequence[Step]) -> tuple[str, ...]:
    """Fingerprints of ``steps`` and of the inputs that a store keeps for them."""
    return tuple(sorted({step.fingerprint for step in steps} | inputs_of(steps)))


def gradient_steps(step: Step) -> Cost:
    """That ``step`` takes alone; of a warm-up, those of each of its languages."""
    if isinstance(step, WarmupStep):
        return Cost(warmup=step.settings.rounds * step.settings.steps)
    if isinstance(step, FinetuneStep):
        return Cost(finetune=step.training.steps)
    return Cost()


def numbered(known: Sequence[Trial], wanted: Sequence[str]) -> dict[str, int]:
    """A number for each of the trials ``wanted`` (ids): the one it has, or the lowest free one.

    So trials of which nothing was written down before an interruption have the numbers that they
    had before it, though later ones are known.

    >>> numbered([], ["a", "b"])
    {'a': 0, 'b': 1}
    """
    numbers = {trial.id: trial.number for trial in known}
    taken = set(numbers.values())
    free = (number for number in count() if number not in taken)
    for one in wanted:
        if one not in numbers:
            numbers[one] = next(free)
    return {one: numbers[one] for one in wanted}

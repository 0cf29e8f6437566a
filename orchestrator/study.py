"""A study: what one YAML file says, checked (DESIGN §1 and §8)."""

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, field_validator, model_validator

from orchestrator.data_settings import EVERY, DataSettings, FileSettings
from orchestrator.resources import ResourceSettings
from orchestrator.sweep.choice import Choice, contradiction
from orchestrator.sweep.settings import SweepSettings
from orchestrator.transports import Transport
from projection.hub import HubSettings
from projection.inputs import Input
from projection.schemes import TagScheme
from projection.tasks import TASKS, Task
from trainers.backbones import BackboneSettings
from trainers.decoding import Decoding
from trainers.settings import Aggregation, TaggerSettings, TrainSettings, WarmupSettings
from trainers.strategies import MONOLINGUAL, STRATEGIES, strategy

Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$")]


class ClusterSettings(BaseModel, frozen=True, extra="forbid"):
    """Where and how wide to run; nothing here changes a result."""

    address: str | None = None
    """Of a running Ray cluster: ``auto``, ``host:port``, ``ray://host:port`` (Ray Client) or
    ``http://host:port`` (submitted as a Ray job); None starts one on this machine."""
    code: Literal["ship", "installed"] = "ship"
    """Send this code to the workers of a running cluster, or use what is installed there."""
    warmup_workers: int | None = Field(default=None, ge=1)
    """Replicas of a warm-up that run at once; None: as many as there is room for."""
    warmup_transport: Transport | None = None
    """How parameters travel between them; None: the fastest that works where they are."""
    store_patience_minutes: float = Field(default=10.0, ge=0)
    """How long a result that was computed waits for a store that refuses it."""


def _task(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value not in TASKS:
        raise ValueError(
            f"unknown task {value!r}; known: {', '.join(TASKS)}; "
            "or give one as {name: ..., scheme: ..., labels: [...]}"
        )
    return TASKS[value]


def _backbone(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class Study(BaseModel, frozen=True, extra="forbid"):
    """Everything that a study file may hold."""

    name: str = Field(pattern=r"^[\w.-]+$")
    """Of the MLflow experiment."""
    task: Annotated[Task, BeforeValidator(_task)]
    """``ner``, ``absa``, ``srl``, or one of your own: ``{name: ..., scheme: ..., labels: ...}``."""
    backbone: Annotated[BackboneSettings, BeforeValidator(_backbone)]
    """The pre-trained encoder, or its name alone."""
    tagger: TaggerSettings = TaggerSettings()
    source: Language
    """The language that has labels, by its ISO code."""
    targets: tuple[Language, ...] = Field(min_length=1)
    """The languages that have none, each once."""
    data_root: Path = Path()
    """Relative to the study file."""
    data: DataSettings
    strategies: tuple[str, ...] = tuple(STRATEGIES)
    """What is compared; any that has no warm start takes one as ``NAME+ws``."""
    seeds: tuple[int, ...] = Field(min_length=1)
    """A model of every strategy is trained for each."""
    training: TrainSettings
    warmup: WarmupSettings = WarmupSettings()
    decoding: Decoding = Decoding.ARGMAX
    """How tags are chosen, on the dev set, too: ``argmax``, each word for itself (the paper), or
    ``constrained``, the most probable sequence that the tag scheme allows."""
    threads: int = Field(default=1, ge=1)
    """CPU threads of one replica. Sums depend on it, so it is part of every result's identity."""
    cluster: ClusterSettings = ClusterSettings()
    resources: ResourceSettings = ResourceSettings()
    chosen: Choice | None = None
    """Where some of the settings come from: written by ``xlwarm run --from-sweep``."""
    sweep: SweepSettings | None = None
    """For ``xlwarm sweep`` alone."""

    @field_validator("strategies")
    @classmethod
    def _known_strategies(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            strategy(name)
        return _distinct("strategy", names)

    @field_validator("seeds", "targets")
    @classmethod
    def _listed_once(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return _distinct("value", values)

    @model_validator(mode="after")
    def _consistent(self) -> "Study":
        if problem := self._wrong_languages():
            raise ValueError(problem)
        warmup = self.warmup
        trims = int(warmup.trim * len(self.targets))
        if warmup.aggregation is Aggregation.TRIMMED_MEAN and not trims:
            raise ValueError(
                f"warmup.trim {warmup.trim:g} of {len(self.targets)} targets leaves none out; "
                f"give at least {1 / len(self.targets):.2g}, or warmup.aggregation mean"
            )
        if self.task.scheme is TagScheme.IOB1:
            raise ValueError("a task cannot predict IOB1; use bio or bioes")
        if "pos_size" in self.tagger.model_fields_set and Input.POS not in self.task.inputs:
            raise ValueError(
                f"tagger.pos_size is the width of a POS embedding, but the task {self.task.name} "
                "has no POS tags among its inputs; leave it out"
            )
        if "pos" in self.data.model_fields_set and Input.POS not in self.task.inputs:
            raise ValueError(
                f"data.pos says where POS tags come from, but the task {self.task.name} has none "
                "among its inputs; leave it out"
            )
        given = self.data.translations.values()
        if Input.PREDICATE in self.task.inputs and any(
            isinstance(one, FileSettings) and one.labelled for one in given
        ):
            raise ValueError(
                f"data.translations: the task {self.task.name} has predicates, and labelled "
                "translations say nothing of them; leave labelled out"
            )
        if self.chosen and (problem := contradiction(self, self.chosen)):
            raise ValueError(problem)
        for name, needed in (("test", self.targets), ("translations", self.translated)):
            given = getattr(self.data, name)
            missing = [t for t in needed if t not in given and EVERY not in given]
            # Where every target has an entry of its own, more entries can mislead nobody.
            unknown = [one for one in given if EVERY in given and one not in (*self.targets, EVERY)]
            if missing or unknown:
                wrong = f"lacks {' '.join(missing)}" if missing else f"has {' '.join(unknown)}"
                raise ValueError(f"data.{name} {wrong}; the targets are {' '.join(self.targets)}")
        return self

    def _wrong_languages(self) -> str | None:
        if self.targets == (self.source,):
            if self.strategies != (MONOLINGUAL,):
                return (
                    f"the source language {self.source} is the only target; a study of one "
                    f"language has one strategy: strategies: [{MONOLINGUAL}]"
                )
        elif self.source in self.targets:
            return f"the source language {self.source} is also among the targets"
        elif MONOLINGUAL in self.strategies:
            return (
                f"{MONOLINGUAL} trains and tests in one language, so it has a study of its own: "
                f"targets: [{self.source}], strategies: [{MONOLINGUAL}]"
            )
        return None

    @property
    def translated(self) -> tuple[Language, ...]:
        """The languages that the training corpus is translated into: all targets but the source."""
        return tuple(target for target in self.targets if target != self.source)

    def path(self, template: str, language: str) -> Path:
        """A path of the study for one language, under ``data_root``."""
        return self.data_root / self._filled(template, language)

    def dataset(self, settings: HubSettings, language: str) -> HubSettings:
        """A dataset of the study for one language; a folder is under ``data_root``."""
        places = {
            key: self._filled(value, language)
            for key in ("hub", "config", "split")
            if (value := getattr(settings, key)) is not None
        }
        if settings.folder is not None:
            places["folder"] = str(self.path(settings.folder, language))
        return settings.model_copy(update=places)

    def _filled(self, template: str, language: str) -> str:
        return template.replace("{source}", self.source).replace("{language}", language)

    def files(self) -> Iterator[tuple[tuple[str, ...], Path]]:
        """Every data file of the study, after the key that names it."""
        data = self.data
        yield from self._paths(("data", "train"), data.train, self.source)
        if data.dev is not None:
            yield from self._paths(("data", "dev"), data.dev, self.source)
        for target in self.targets:
            yield from self._paths(("data", "test", target), data.test_of(target), target)
        for target in self.translated:
            translation = data.translation_of(target)
            if isinstance(translation, FileSettings):
                yield from self._paths(("data", "translations", target), translation, target)
            if data.links is not None:
                yield ("data", "aligner"), self.path(data.links, target)
            for extra in data.parallel_text:
                yield from self._paths(("data", "parallel_text"), extra, target)

    def _paths(
        self, keys: tuple[str, ...], file: FileSettings | HubSettings, language: str
    ) -> Iterator[tuple[tuple[str, ...], Path]]:
        if isinstance(file, HubSettings):
            return
        for path in file.path:
            yield keys, self.path(path, language)


def _distinct(what: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"{what} listed twice: {', '.join(twice)}")
    return values


def nearest(word: str, known: list[str]) -> str:
    """``"; did you mean X?"`` if something known is near, else the list of what is known."""
    near = get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"

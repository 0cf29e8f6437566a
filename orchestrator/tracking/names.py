"""What runs are called, tagged and parametrised by, and what their descriptions say."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from orchestrator.plan import Plan, RunSpec
from orchestrator.study import Study
from trainers.strategies import strategy


def common_tags(study: Study) -> dict[str, str]:
    """Of every run of ``study``."""
    return {"xlwarm.task": study.task.name, "xlwarm.backbone": study.backbone.name}


def settings_of(study: Study) -> dict[str, Any]:
    """Settings that all models of ``study`` share, by the blocks of the study file."""
    return {
        "source": study.source,
        "threads": study.threads,
        "task": study.task.name,
        "backbone": study.backbone,
        "training": study.training,
        "data": {
            "aligner": study.data.aligner,
            "alignment": study.data.alignment,
            "mapping": study.data.mapping,
        },
    }


def flat_names(settings: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as dotted names and text.

    >>> dict(flat_names({"training": {"steps": 800}, "seed": 1}))
    {'training.steps': '800', 'seed': '1'}
    """
    if isinstance(settings, BaseModel):
        settings = settings.model_dump(mode="json")
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            yield from flat_names(value, f"{prefix}.{key}" if prefix else key)
    else:
        yield prefix, str(settings)


def in_metric(strategy_name: str) -> str:
    """The name of a strategy as a part of a metric's, where MLflow takes few signs.

    >>> in_metric("zero-shot"), in_metric("multilingual+ws"), in_metric("zero-shot~mtl-ws")
    ('zero-shot', 'multilingual_ws', 'zero-shot_mtl-ws')
    """
    return re.sub(r"[^\w.-]", "_", strategy_name)


def study_note(plan: Plan, texts: Mapping[str, str]) -> str:
    """Description of a study, with the Markdown tables among its ``texts``."""
    study = plan.study
    about = (
        f"{study.task.name} from {study.source} to {' '.join(study.targets)}, "
        f"`{study.backbone.name}`, {len(study.seeds)} seed(s), {len(plan.specs)} models."
    )
    tables = [text for name, text in texts.items() if name.endswith(".md")]
    return "\n\n".join([about, *tables])


def model_note(spec: RunSpec) -> str:
    """Description of a model."""
    made = strategy(spec.strategy)
    what = "mean" if made.averages else "vote"
    joint = f"The {what} of {len(made.members)} strategies' models. " if made.members else ""
    some = " some of them" if made.members else ""
    warm = f"{some} after a multilingual warm-up" if spec.model.warmup else ""
    trained = f"{joint}Trained on {', '.join(spec.model.languages)}{warm}"
    return f"{trained}; serves {', '.join(spec.targets)}."

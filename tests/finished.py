"""Finished studies that nobody trained: made-up predictions, curves and counts in a real store."""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from experiments.report import report
from orchestrator.fingerprints import Json, identity
from orchestrator.plan import Plan, make_plan
from orchestrator.steps.base import Step
from orchestrator.steps.evaluate import PREDICTIONS, EvaluateStep
from orchestrator.steps.finetune import CURVE, FinetuneStep
from orchestrator.steps.project import COUNTS, ProjectStep
from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from projection.columns import write_columns
from projection.records import Sentence, Span
from projection.schemes import TagScheme
from projection.scoring import SpanScore, score_spans
from tests.studies import write_study


@dataclass(frozen=True)
class MadeUp:
    """A tiny study of three seeds and what two stores have of it.

    Args:
        file: Its YAML file.
        plan: Of it.
        done: A store that has everything.
        half: A store that lacks German of seed 2, and MTL-WS of all seeds but 1.
    """

    file: Path
    plan: Plan
    done: StepStore
    half: StepStore


RIGHT, RIGHT_AFTER_WARMUP = 0.6, 0.85
"""Shares of the gold spans that are predicted as they are."""
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def finish(plan: Plan, store: StepStore, only: Callable[[Step], bool] = lambda _step: True) -> None:
    """Put the steps of ``plan`` into ``store`` as if they had been computed."""
    for step in plan.steps:
        if only(step):
            store.write(step, lambda folder, step=step: _record(step, _fill(step, folder)))


def _record(step: Step, outputs: Mapping[str, Json]) -> dict[str, Json]:
    return {
        "kind": step.kind,
        "version": step.version,
        "title": step.title(),
        "inputs": identity(step),
        "outputs": dict(outputs),
        "started": "2026-01-02T03:04:05+00:00",
        "seconds": 60.0,
        "device": "cpu",
        "workers": 1,
        "host": "x86_64",
        "versions": {"xlwarm": "0.1.0", "ray": None},
        "git_commit": COMMIT,
    }


def _fill(step: Step, folder: Path) -> Mapping[str, Json]:
    if isinstance(step, EvaluateStep):
        return _evaluated(step, folder)
    if isinstance(step, FinetuneStep):
        return _finetuned(step, folder)
    if isinstance(step, ProjectStep):
        counts = {
            "sentences": 20,
            "lost_sentences": 4,
            "kept": {"LOC": 8, "PER": 9},
            "dropped": {"LOC": {"unaligned": 2}, "ORG": {"overlaps": 1}},
        }
        (folder / COUNTS).write_text(json.dumps(counts))
    return {}


def _finetuned(step: FinetuneStep, folder: Path) -> Mapping[str, Json]:
    start = 60.0 if step.warmup else 40.0
    points = [
        {"step": k, "loss": 1 / k, "dev_f1": start + k + step.seed if k > 2 else None}
        for k in range(1, 7)
    ]
    (folder / CURVE).write_text("".join(json.dumps(point) + "\n" for point in points))
    return {"best_step": 6, "dev_f1": start + 6 + step.seed}


def _evaluated(step: EvaluateStep, folder: Path) -> Mapping[str, Json]:
    gold = step.test.read().sentences
    draw = random.Random(step.fingerprint)
    right = RIGHT_AFTER_WARMUP if step.model.warmup else RIGHT
    labels = step.model.encoding.labels
    predicted = [replace(one, spans=_guess(one, right, labels, draw)) for one in gold]
    with (folder / PREDICTIONS).open("w", encoding="utf-8") as out:
        write_columns(predicted, out, TagScheme.BIO)
    scores = score_spans([one.spans for one in gold], [one.spans for one in predicted])
    return {
        "sentences": len(gold),
        "cut_words": 0,
        "micro": _as_json(scores.micro),
        "labels": {label: _as_json(score) for label, score in scores.labels.items()},
    }


def _guess(
    sentence: Sentence, right: float, labels: tuple[str, ...], draw: random.Random
) -> tuple[Span, ...]:
    """Right, with another label, cut short, or missed."""
    guessed = []
    for span in sentence.spans:
        chance = draw.random()
        if chance < right:
            guessed.append(span)
        elif chance < right + 0.1:
            guessed.append(replace(span, label=draw.choice(labels)))
        elif chance < right + 0.12 and span.end - span.start > 1:
            guessed.append(replace(span, end=span.end - 1))
    return tuple(guessed)


def _as_json(score: SpanScore) -> dict[str, Any]:
    return {
        name: getattr(score, name)
        for name in ("f1", "precision", "recall", "correct", "gold", "predicted")
    }


def make_up(folder: Path, backbone: Path) -> MadeUp:
    """Write the study and both stores into ``folder``."""
    file = write_study(folder, backbone, seeds=[1, 2, 3])
    plan = make_plan(read_study(file))
    made_up = MadeUp(file, plan, StepStore(folder / "done"), StepStore(folder / "half"))
    finish(plan, made_up.done)
    finish(plan, made_up.half, _is_in_half)
    return made_up


def _is_in_half(step: Step) -> bool:
    if not isinstance(step, EvaluateStep):
        return True
    missing = step.language == "de" and step.model.seed == 2
    return not missing and (step.model.warmup is None or step.model.seed == 1)


def reported(file: Path, store: StepStore, *options: str) -> Result:
    """``xlwarm report`` on a study."""
    arguments = [str(file), "--store", str(store.location), *options]
    return CliRunner().invoke(report, arguments, catch_exceptions=False)

"""The view of running steps shows whatever they report: a view that fails would end the run."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch
from rich.console import Console

from orchestrator import steps_view
from orchestrator.local import in_process_pool
from orchestrator.plan import make_plan
from orchestrator.steps import translate
from orchestrator.steps.base import Step, Surroundings, perform
from orchestrator.steps.translate import TranslateStep
from orchestrator.steps_view import State, StepsView
from orchestrator.store import StepStore
from orchestrator.study_data import StudyData
from orchestrator.study_file import read_study
from projection.translators import LanguagePair, TranslatorName, TranslatorSettings
from projection.translators.base import Limits
from tests.studies import TRAIN_SENTENCES, write_study


class Lines(StepsView):
    def summary(self, states: Mapping[str, State]) -> Sequence[str]:
        return ["all told"]


class Reversed:
    """Translates by turning the words round."""

    name = "reversed"
    limits = Limits(texts=10, characters=10_000)

    def version(self, _pair: LanguagePair) -> str:
        return "1"

    def translate(self, texts: Sequence[str], _pair: LanguagePair) -> list[str]:
        return [" ".join(reversed(text.split())) for text in texts]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> list[tuple[Step, State]]:
    """What the steps of a small study report on their way, a translation's first."""
    folder = tmp_path_factory.mktemp("told")
    study = read_study(write_study(folder, tiny_bert, strategies=["mtl-ws"], targets=["es"]))
    translation = TranslateStep(
        source=StudyData(study).train,
        pair=LanguagePair("en", "es"),
        translator=TranslatorName.DEEPL,
        version_of_translator="1",
        settings=TranslatorSettings(translator=TranslatorName.DEEPL),
    )
    store = StepStore(folder / "store")
    found: list[tuple[Step, State]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(translate, "load_translator", lambda _settings, _device: Reversed())
        for step in (translation, *make_plan(study).steps):

            def report(state: State, step: Step = step) -> None:
                found.append((step, state))

            device = torch.device("cpu")
            perform(
                step, Surroundings(store=store, device=device, pool=in_process_pool, report=report)
            )
    return found


@pytest.mark.parametrize("terminal", [True, False])
def test_everything_that_steps_report_can_be_shown(
    terminal: bool, told: list[tuple[Step, State]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps_view, "LINE_EVERY", 0.0)
    assert {"translate", "warmup", "finetune"} <= {step.kind for step, _ in told}
    shown = io.StringIO()
    with Lines(Console(file=shown, force_terminal=terminal, width=120)) as view:
        for step, state in told:
            view.started(step)
            view.tick({step.fingerprint: state})
            view.finished(step)
            view.tick({})
    assert "all told" in shown.getvalue()
    if not terminal:
        translating = f"at     translate en-es (deepl): {TRAIN_SENTENCES}/{TRAIN_SENTENCES}"
        assert translating in shown.getvalue()

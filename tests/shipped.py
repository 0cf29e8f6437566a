"""The study files that xlwarm ships, as they are, and small enough to be run in a test."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.study import Study
from orchestrator.study_file import override, read_study
from orchestrator.study_layers import merged, read_layers
from projection.pos_taggers import PosSource
from projection.translators import TranslatorSettings
from tests.tiny_corpora import furnish

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
PAPER, SMALL = EXPERIMENTS / "paper", EXPERIMENTS / "small"
NO_STUDIES = {"numbers.yaml", "differences.yaml"}
STUDIES = {
    f"{folder.name}/{path.stem}": path
    for folder in (PAPER, SMALL)
    for path in sorted(folder.glob("*.yaml"))
    if path.name not in NO_STUDIES
}
"""By folder and name."""


def whole(path: Path, overrides: Sequence[str] = ()) -> Study:
    """The study in ``path``, whose data files need not be there."""
    content = merged(read_layers(path))
    for one in overrides:
        override(content, one)
    return Study.model_validate(content)


def header(path: Path) -> str:
    """The comment that a study file opens with."""
    lines = path.read_text(encoding="utf-8").splitlines()
    end = next(k for k, line in enumerate(lines) if not line.startswith("#"))
    return "\n".join(lines[:end])


def tiny(path: Path, root: Path, checkpoints: Mapping[str, Path]) -> Study:
    """The study with tiny corpora in its own formats, a tiny checkpoint and a few steps.

    Args:
        path: Of the study file.
        root: Where its data are written.
        checkpoints: Tiny ones, by a part of the names of the encoders that they stand for.
    """
    study = whole(path)
    small = next(one for part, one in checkpoints.items() if part in study.backbone.name)
    overrides = [f"data_root={root}", f"backbone.name={small}", f"data.encoder={small}", *SHORT]
    overrides += [f"training.select_after={1 if study.training.select_after else 0}"]
    if study.backbone.num_layers:
        overrides.append("backbone.num_layers=2")
    if study.training.lr_warmup:
        overrides.append("training.lr_warmup=1")
    if study.translated:
        overrides.append(f"targets=[{', '.join(study.targets[:2])}]")
    made = any(isinstance(one, TranslatorSettings) for one in study.data.translations.values())
    if made:
        overrides.append(f"data.translations='{study.task.name}.{{language}}.txt'")
    if study.data.pos is not PosSource.PROJECTED:
        overrides.append("data.pos=projected")
    if study.sweep:
        overrides += [f"sweep.parameters={GRID}", "sweep.searcher=grid", "sweep.trials=null"]
    furnish(whole(path, overrides))
    return read_study(path, overrides)


SHORT = (
    "backbone.max_pieces=100",
    "data.alignment.layer=2",
    "seeds=[1]",
    "training.learning_rate=0.01",
    "training.steps=2",
    "training.evaluate_every=1",
    "warmup.rounds=2",
    "warmup.steps=1",
)
GRID = "{warmup.rounds: [1, 2], warmup.steps: [1], training.learning_rate: [0.01]}"

"""A whole study small enough for a test: two dozen sentences, a tiny checkpoint, six steps."""

from pathlib import Path
from typing import Any

import yaml

CORPUS = Path(__file__).parents[1] / "experiments" / "quickstart"
TRAIN_SENTENCES, TEST_SENTENCES = 24, 10


def write_study(folder: Path, backbone: Path, **settings: Any) -> Path:
    """A study file with its data in ``folder``; ``settings`` replace top-level keys."""
    for language in ("es", "de", "nl"):
        _head(f"{language}.test.conll", folder, TEST_SENTENCES)
        lines = (CORPUS / f"{language}.train.txt").read_text().splitlines()[:TRAIN_SENTENCES]
        (folder / f"{language}.train.txt").write_text("\n".join(lines) + "\n")
    _head("en.train.conll", folder, TRAIN_SENTENCES)
    _head("en.dev.conll", folder, TEST_SENTENCES)
    study = {
        "name": "tiny",
        "task": "ner",
        "backbone": {"name": str(backbone), "num_layers": 2, "max_pieces": 100},
        "source": "en",
        "targets": ["es", "de", "nl"],
        "seeds": [1],
        "data": {
            "train": "en.train.conll",
            "dev": "en.dev.conll",
            "test": "{language}.test.conll",
            "translations": "{language}.train.txt",
        },
        "training": {
            "learning_rate": 0.01,
            "batch_size": 8,
            "steps": 6,
            "select_after": 2,
            "evaluate_every": 2,
        },
        "warmup": {"rounds": 3, "steps": 2, "outer_lr": 0.001},
    } | settings
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    return path


def _head(name: str, folder: Path, sentences: int) -> None:
    blocks = (CORPUS / name).read_text().split("\n\n")[:sentences]
    (folder / name).write_text("\n\n".join(blocks) + "\n")

"""The README shows the repository as it is."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
UNLISTED = {"__init__.py", "LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", ".gitignore"}
UNLISTED |= {".pre-commit-config.yaml"}


def _tree() -> list[str]:
    """Paths of the README's tree; a name that is indented lies in the folder above it."""
    listed, folder = [], ""
    block = README.split("<!-- tree -->")[1].split("<!-- /tree -->")[0]
    for line in block.strip("\n").splitlines():
        name = line.split()[0]
        if line.startswith(" " * 8):
            listed.append(folder + name)
        else:
            folder = name
            listed.append(name)
    return listed


def _tracked() -> list[str]:
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return done.stdout.splitlines()


def test_everything_in_the_tree_is_in_the_repository() -> None:
    tracked = _tracked()
    for path in _tree():
        assert any(file == path or file.startswith(path) for file in tracked), path


def test_every_file_of_the_repository_is_in_the_tree() -> None:
    tree = _tree()
    whole = [
        p for p in tree if p.endswith("/") and not any(q != p and q.startswith(p) for q in tree)
    ]
    for file in _tracked():
        covered = file in tree or any(file.startswith(folder) for folder in whole)
        assert covered or Path(file).name in UNLISTED, file


def test_the_example_study_of_the_readme_is_a_study(tmp_path: Path) -> None:
    from orchestrator.study_file import read_study

    text = README.split("## A study")[1].split("    xlwarm run")[0]
    study = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    (tmp_path / "data").mkdir()
    for name in ("en.train.conll", "en.dev.conll", "es.test.conll", "de.test.conll"):
        (tmp_path / "data" / name).touch()
    for language in ("es", "de"):
        (tmp_path / "data" / f"{language}.train.txt").touch()
    path = tmp_path / "study.yaml"
    path.write_text(study)
    assert read_study(path).seeds == tuple(yaml.safe_load(study)["seeds"])


def test_the_commands_of_the_readme_exist() -> None:
    from orchestrator.cli import COMMANDS

    assert set(re.findall(r"^    xlwarm (\w+)", README, re.MULTILINE)) <= set(COMMANDS)
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^    make (\w+)", README, re.MULTILINE):
        assert f"\n{target}:" in makefile

"""The command line: what it imports, what it prints, how it exits."""

import subprocess
import sys
from pathlib import Path

import pytest

QUICKSTART = Path(__file__).parents[1] / "experiments" / "quickstart.yaml"
XLWARM = [sys.executable, "-c", "from orchestrator.cli import main; main()"]


def _xlwarm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*XLWARM, *arguments], capture_output=True, text=True, check=False)


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom orchestrator.cli import xlwarm\n"
        "print(CliRunner().invoke(xlwarm, ['--help']).output)\n"
        "heavy = ('torch', 'ray', 'mlflow', 'transformers', 'numpy')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(
        f"  {name} " in shown.stdout
        for name in (
            "run",
            "report",
            "sync",
            "ui",
            "export",
            "predict",
            "data",
            "translate",
            "align",
            "project",
            "score",
            "doctor",
        )
    )
    assert shown.stdout.splitlines()[-1] == "[]"


def test_looking_at_a_study_takes_no_seconds_for_torch_ray_or_mlflow(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom orchestrator import outlook\n"
        "from orchestrator.cli import xlwarm\n"
        "outlook.GPU_DRIVERS = ()  # or torch is asked for their number\n"
        "for command in ('plan', 'status', 'report', 'compare'):\n"
        f"    given = [command, {str(QUICKSTART)!r}, '--store', {str(tmp_path)!r}]\n"
        "    CliRunner().invoke(xlwarm, given, catch_exceptions=False)\n"
        "    heavy = ('torch', 'ray', 'mlflow', 'transformers', 'pandas', 'scipy')\n"
        "    print(command, [name for name in heavy if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines() == ["plan []", "status []", "report []", "compare []"]


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    path = tmp_path / "gold.conll"
    path.write_text(
        "Anna B-PER\nBerg I-PER\nlebt O\nin O\nOslo B-LOC\n\nNordic B-ORG\nRail I-ORG\n"
    )
    return path


def test_score_prints_precision_recall_and_f1_worked_by_hand(gold: Path, tmp_path: Path) -> None:
    predicted = tmp_path / "predicted.conll"
    # Anna Berg right, Oslo right, Nordic alone wrong, lebt wrong: 2 of 4 predicted, 2 of 3 gold.
    predicted.write_text(
        "Anna B-PER\nBerg I-PER\nlebt B-MISC\nin O\nOslo B-LOC\n\nNordic B-ORG\nRail O\n"
    )
    done = _xlwarm("score", str(gold), str(predicted))
    assert done.returncode == 0
    (micro,) = (line.split() for line in done.stdout.splitlines() if line.strip().startswith("all"))
    assert micro == ["all", "50.00", "66.67", "57.14", "2", "3", "4"]


def test_score_reads_any_number_of_ill_formed_spans_if_the_scheme_is_named(
    gold: Path, tmp_path: Path
) -> None:
    predicted = tmp_path / "predicted.conll"
    # Two of four spans begin with I-, which conlleval reads as a beginning: two right of four.
    predicted.write_text(
        "Anna I-PER\nBerg I-PER\nlebt B-MISC\nin O\nOslo I-LOC\n\nNordic B-ORG\nRail O\n"
    )
    assert "mixed tag schemes" in _xlwarm("score", str(gold), str(predicted)).stderr
    done = _xlwarm("score", str(gold), str(predicted), "--scheme", "bio")
    assert done.returncode == 0
    (micro,) = (line.split() for line in done.stdout.splitlines() if line.strip().startswith("all"))
    assert micro == ["all", "50.00", "66.67", "57.14", "2", "3", "4"]


def test_score_refuses_files_with_other_words(gold: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.conll"
    other.write_text(gold.read_text().replace("Oslo", "Bergen"))
    done = _xlwarm("score", str(gold), str(other))
    assert done.returncode == 2
    assert "sentence 1 has the words" in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_input_exits_with_two_and_one_message(tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text("name: x\ntask: ner\nlearnrate: 3\n")
    done = _xlwarm("run", str(study), "--store", str(tmp_path / "store"))
    assert done.returncode == 2
    assert f"{study}:3: unknown key 'learnrate'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "store").exists()


def test_a_study_that_is_not_there_exits_with_two(tmp_path: Path) -> None:
    done = _xlwarm("report", str(tmp_path / "none.yaml"))
    assert done.returncode == 2
    assert "none.yaml: cannot be read" in done.stderr

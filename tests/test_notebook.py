"""A study in a notebook: its results as tables of pandas, its plots."""

import io
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import experiments
from experiments import Study
from orchestrator.results import AVERAGE, cells, results
from projection.errors import InputError
from tests.finished import COMMIT, MadeUp, reported


def test_the_frame_has_one_row_a_strategy_language_and_seed(made_up: MadeUp) -> None:
    study = Study.from_yaml(made_up.file, store=str(made_up.done.location))
    frame = study.results()
    assert len(frame) == len(frame.drop_duplicates(["strategy", "language", "seed"])) == 45
    assert (frame.precision + frame.recall > 0).all()
    assert (frame.git_commit == COMMIT).all()
    assert study.missing().empty
    unfinished = Study.from_yaml(made_up.file, store=str(made_up.half.location))
    assert len(unfinished.results()) + len(unfinished.missing()) == 45
    read = pd.read_csv(io.StringIO(reported(made_up.file, made_up.done, "--format", "csv").stdout))
    pd.testing.assert_frame_equal(read, frame, check_dtype=False)


def test_means_of_the_frame_are_those_of_the_table(made_up: MadeUp) -> None:
    frame = Study.from_yaml(made_up.file, store=str(made_up.done.location)).results()
    means = frame.groupby(["strategy", "language"]).f1.mean()
    for (strategy, column), score in cells(
        results(made_up.plan, made_up.done), made_up.plan.study.targets
    ).items():
        mean = means[strategy].mean() if column == AVERAGE else means[strategy, column]
        assert mean == pytest.approx(score.mean)


def test_comparisons_are_a_frame_too(made_up: MadeUp) -> None:
    compared = Study.from_yaml(made_up.file, store=str(made_up.done.location)).comparisons(
        "zero-shot"
    )
    assert len(compared) == 4 * 4
    assert (compared.baseline == "zero-shot").all()
    assert (compared.significant == (compared.p < 0.05)).all()


@pytest.mark.parametrize("what", ["scores", "differences", "errors", "curves"])
def test_every_plot_can_be_drawn(what: str, made_up: MadeUp) -> None:
    figure = Study.from_yaml(made_up.file, store=str(made_up.done.location)).plot(what)
    assert "<svg" in figure._repr_svg_()
    assert figure.get_suptitle() == ""


def test_a_plot_of_nothing_and_an_unknown_one_are_refused(tmp_path: Path, made_up: MadeUp) -> None:
    study = Study.from_yaml(made_up.file, store=tmp_path)
    with pytest.raises(InputError, match="nothing is done yet"):
        study.plot("scores")
    with pytest.raises(InputError, match="no plot 'score'; there are scores"):
        study.plot("score")
    with pytest.raises(InputError, match="no format 'pdf'; there are text"):
        study.report("pdf")


def test_settings_of_a_notebook_are_put_over_those_of_the_file(made_up: MadeUp) -> None:
    study = Study.from_yaml(made_up.file, settings={"training.steps": 8, "seeds": [4]})
    assert (study.settings.training.steps, study.settings.seeds) == (8, (4,))


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, experiments; print({'numpy', 'pandas', 'ray'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "set()\n"
    with pytest.raises(AttributeError, match="has no attribute 'Stduy'"):
        experiments.Stduy  # noqa: B018

"""The notebook of the documentation runs as it stands, and holds no outputs of an earlier run."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"


def test_the_notebook_is_kept_without_outputs() -> None:
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    for cell in cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(900)  # a study of a real encoder, on a machine that may be busy
@pytest.mark.filterwarnings("default")  # of Jupyter, about itself
def test_the_notebook_shows_tables_and_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(NOTEBOOK.parents[1])
    monkeypatch.setenv("PYTHONPATH", f"{root}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    shown = [
        output.data
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "execute_result"  # the progress view is none
    ]
    tables = [one["text/html"] for one in shown if "text/html" in one]
    rows = [one.count("<tr") for one in tables]
    assert rows[:3] == [1 + 8, 1 + 8, 1 + 1 + 2], "missing, results, means"
    assert sum("image/svg+xml" in one for one in shown) == 3, "scores, errors, curves"
    assert "mtl-ws" in (tmp_path / "report.html").read_text(encoding="utf-8")

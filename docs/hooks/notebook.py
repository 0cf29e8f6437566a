"""Makes a page of the site of every notebook: nbconvert writes the Markdown.

With ``XLWARM_DOCS_RUN`` set, the notebooks are executed first and the pages show what came out.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbclient import NotebookClient
from nbconvert import MarkdownExporter


class NotebookPage(File):
    """A notebook that the site shows as a page."""

    def is_documentation_page(self) -> bool:
        """Although its name does not end as that of Markdown does."""
        return True


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Put pages in the place of notebooks, and their pictures beside them."""
    for file in [one for one in files if one.src_uri.endswith(".ipynb")]:
        body, pictures = _markdown(Path(str(file.abs_src_path)))
        files.remove(file)
        files.append(NotebookPage.generated(config, file.src_uri, content=body))
        for name, content in pictures.items():
            files.append(File.generated(config, name, content=content))
    return files


def _markdown(path: Path) -> tuple[str, dict[str, bytes]]:
    notebook = nbformat.read(path, as_version=4)
    if os.environ.get("XLWARM_DOCS_RUN"):
        with TemporaryDirectory() as folder:  # the notebook writes a store and a report
            NotebookClient(notebook, resources={"metadata": {"path": folder}}).execute()
        for cell in (one for one in notebook.cells if one.cell_type == "code"):
            results = [one for one in cell.outputs if one.output_type == "execute_result"]
            cell.outputs = results  # without the progress view
    body, resources = MarkdownExporter().from_notebook_node(notebook)
    return body, dict(resources.get("outputs") or {})

"""The quickstart notebook: cleared outputs, and a run without downloads."""

import re
import shutil
from pathlib import Path

import nbclient
import nbformat
import pytest
import tiny_experiment

import cpcnn_jax as cp
from cpcnn_jax.weights import serialization

DOCS = Path(__file__).parents[1] / "docs"


def run_notebook(folder):
    """Executes a copy of the notebook; returns the text that its cells print."""
    (folder / "docs").mkdir()
    shutil.copy(DOCS / "crowd.jpg", folder / "docs")
    notebook = nbformat.read(DOCS / "quickstart.ipynb", as_version=4)
    resources = {"metadata": {"path": str(folder / "docs")}}
    nbclient.NotebookClient(notebook, timeout=300, resources=resources).execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    return "".join(o["text"] for o in outputs if o.get("name") == "stdout")


def test_outputs_are_cleared():
    notebook = nbformat.read(DOCS / "quickstart.ipynb", as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs") and not cell.get("execution_count")


def test_notebook_takes_weights_from_the_environment(tmp_path, monkeypatch):
    file = tmp_path / "tiny.safetensors"
    _, params = tiny_experiment.networks()
    serialization.save(file, params, tiny_experiment.get_config().model, blocks=4)
    monkeypatch.setenv("CPCNN_WEIGHTS", str(file))
    text = run_notebook(tmp_path)
    count = cp.load(file).count(DOCS / "crowd.jpg").count
    (shown,) = re.findall(r"^([\d.-]+) people$", text, re.M)
    assert float(shown) == pytest.approx(count, abs=0.06, rel=1e-4)
    assert "(1, 3, 3, 1) to (1, 6, 6, 8)" in text

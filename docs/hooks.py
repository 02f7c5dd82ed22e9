"""Pages of the site that are generated from other files when mkdocs builds it."""

import contextlib
import io
import json
import tempfile
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from cpcnn_jax.cli import explain

ROOT = Path(__file__).parents[1]
EXPLAINER = "--input 3x3 --kernel 4 --stride 2 --padding 1 --format html"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the explainer page, the notebook's page, CHANGELOG and CONTRIBUTING."""
    pages = {
        "explainer.html": explainer_page(),
        "quickstart.md": notebook_page(ROOT / "docs" / "quickstart.ipynb"),
        "changelog.md": (ROOT / "CHANGELOG.md").read_text(),
        "contributing.md": (ROOT / "CONTRIBUTING.md").read_text(),
    }
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def explainer_page() -> str:
    """The HTML page of the command `explain`."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        with contextlib.redirect_stdout(io.StringIO()):  # it prints the file's name
            explain.main([*EXPLAINER.split(), "--out", str(page)])
        return page.read_text()


def notebook_page(path: Path) -> str:
    """The cells of a notebook as Markdown; outputs are left out."""
    cells = json.loads(path.read_text())["cells"]
    return "\n\n".join(
        f"```python\n{''.join(cell['source'])}\n```"
        if cell["cell_type"] == "code"
        else "".join(cell["source"])
        for cell in cells
    )

"""A run as one HTML page that needs no network."""

import base64
import hashlib
from pathlib import Path

from cpcnn_jax.evaluation.report import (
    density_levels,
    gallery,
    image_table,
    number_format,
    protocol,
    provenance,
    results_table,
    scatter,
    training_curves,
)
from cpcnn_jax.evaluation.report import run_files as runs
from cpcnn_jax.io import atomic_write
from cpcnn_jax.io import html as html_io


def write(folder, out=None):
    """Write the report of an evaluated run.

    Args:
      folder: the run's workdir; only files in it are read.
      out: the file to write; `report.html` in the folder where None.

    Returns:
      The file's Path.

    Raises:
      ValueError: the folder is no evaluated run, or a file of it is damaged.
      OSError: the report cannot be written; an earlier one is left as it was.
    """
    out = Path(folder) / "report.html" if out is None else Path(out)
    atomic_write.write_atomic(
        out, render(runs.read_run(folder)).encode("utf-8", "replace")
    )
    return out


def render(run):
    """The page.

    Args:
      run: `run_files.RunFiles`.

    Returns:
      The whole HTML document, a str.
    """
    own = {
        name: html_io.read_part(__package__, name) for name in ("page.css", "page.js")
    }
    pictures, pictured = gallery.section(run)
    parts = {
        "name": html_io.join([run.name]),
        "lead": html_io.join([results_table.lead(run)]),
        "results": results_table.section(run),
        "protocol": protocol.section(run),
        "filter": density_levels.choice(run),
        "scatter": scatter.section(
            run.photographs, number_format.finite(run.scores.get("training_mean"))
        ),
        "levels": density_levels.section(run.scores),
        "photographs": image_table.section(run, pictured),
        "gallery": pictures,
        "curves": training_curves.section(run.log),
        "origin": provenance.section(run),
        "theme.css": html_io.read_part("cpcnn_jax.io", "theme.css"),
        "hash": _hash(own["page.js"]),
    }
    return html_io.fill_template(
        html_io.read_part(__package__, "page.html"), parts | own
    )


def _hash(script):
    """The only script that the page's own policy lets run, by its SHA-256."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()

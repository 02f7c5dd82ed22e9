"""A run as one HTML page that needs no network."""

import base64
import hashlib
from pathlib import Path

from cpcnn_jax import document, files
from cpcnn_jax.report import (
    curves,
    gallery,
    levels,
    numbers,
    origin,
    photographs,
    protocol,
    results,
    scatter,
)
from cpcnn_jax.report import run as runs


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
    files.replace(out, render(runs.read(folder)).encode("utf-8", "replace"))
    return out


def render(run):
    """The page.

    Args:
      run: `run.Run`.

    Returns:
      The whole HTML document, a str.
    """
    own = {name: document.part(__package__, name) for name in ("page.css", "page.js")}
    pictures, pictured = gallery.section(run)
    parts = {
        "name": document.join([run.name]),
        "lead": document.join([results.lead(run)]),
        "results": results.section(run),
        "protocol": protocol.section(run),
        "filter": levels.choice(run),
        "scatter": scatter.section(
            run.photographs, numbers.finite(run.scores.get("training_mean"))
        ),
        "levels": levels.section(run.scores),
        "photographs": photographs.section(run, pictured),
        "gallery": pictures,
        "curves": curves.section(run.log),
        "origin": origin.section(run),
        "look.css": document.part("cpcnn_jax", "look.css"),
        "hash": _hash(own["page.js"]),
    }
    return document.fill(document.part(__package__, "page.html"), parts | own)


def _hash(script):
    """The only script that the page's own policy lets run, by its SHA-256."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()

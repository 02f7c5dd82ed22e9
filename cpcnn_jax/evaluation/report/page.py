"""Report of a run as one HTML page without network access."""

import os
from pathlib import Path

from cpcnn_jax.evaluation.report import (
    density_levels,
    gallery,
    image_table,
    protocol,
    provenance,
    results_table,
    run_files,
    scatter,
    training_curves,
)
from cpcnn_jax.io import atomic_write
from cpcnn_jax.io.html import fill_template, join, read_part, script_hash


def write(
    folder: str | os.PathLike[str], out: str | os.PathLike[str] | None = None
) -> Path:
    """Writes the report of an evaluated run.

    Args:
      folder: the run's workdir.
      out: the report's file; default: report.html in the folder.

    Returns:
      The report's path.

    Raises:
      ValueError: the folder is no evaluated run, or one of its files is damaged.
      OSError: the report cannot be written; an earlier report is unchanged.
    """
    out = Path(folder) / "report.html" if out is None else Path(out)
    html = render(run_files.read_run(folder))
    atomic_write.write_atomic(out, html.encode("utf-8", "replace"))
    return out


def render(run: run_files.RunFiles) -> str:
    """Renders the HTML document of a run."""
    script = read_part(__package__, "page.js")
    pictures, pictured = gallery.render(run)
    parts = {
        "name": join([run.name]),
        "lead": join([results_table.format_lead(run)]),
        "results": results_table.render(run),
        "protocol": protocol.render(run),
        "filter": density_levels.render_filter(run),
        "scatter": scatter.render(run),
        "levels": density_levels.render(run),
        "images": image_table.render(run, pictured),
        "gallery": pictures,
        "curves": training_curves.render(run),
        "provenance": provenance.render(run),
        "theme.css": read_part("cpcnn_jax.io", "theme.css"),
        "page.css": read_part(__package__, "page.css"),
        "page.js": script,
        "hash": script_hash(script),
    }
    return fill_template(read_part(__package__, "page.html"), parts)

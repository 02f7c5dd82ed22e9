"""Sweeps: one experiment at every combination of some fields' values.

`launch.py --sweep` runs the points, each in a folder of the sweep's workdir with the
name of its values. `cpcnn_jax sweep WORKDIR` prints the table of the finished points.
"""

import csv
import io
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cpcnn_jax.evaluation.predictions import VALIDATION, results_folder
from cpcnn_jax.io import atomic_write

# Scores of metrics.json, and the decimals of each in the table.
SCORES = {"mae": 2, "rmse": 2, "psnr": 2, "ssim": 3, "num_images": 0}

Point = dict[str, str]


def grid_points(sweeps: Sequence[str]) -> list[Point]:
    """Lists every combination of the values.

    Args:
      sweeps: "FIELD=VALUE,VALUE...", with fields of `config.Experiment`.

    Returns:
      A dict of field to value for each point; the last field changes fastest.

    Raises:
      ValueError: a text has another form, or a field is given twice.

    Example:
      >>> grid_points(["seed=0,1", "gce.steps=5"])
      [{'seed': '0', 'gce.steps': '5'}, {'seed': '1', 'gce.steps': '5'}]
    """
    axes: dict[str, list[str]] = {}
    for text in sweeps:
        field, _, joined = text.partition("=")
        values = joined.split(",")
        if not field or "" in values or "/" in text or len({*values}) < len(values):
            raise ValueError(
                f"--sweep={text} must be FIELD=VALUE,VALUE... with different values, "
                "as in --sweep=seed=0,1,2"
            )
        if field in axes:
            raise ValueError(f"--sweep={field}=... is given twice: join its values")
        axes[field] = values
    combinations = itertools.product(*axes.values())
    return [dict(zip(axes, values, strict=True)) for values in combinations]


def folder_name(point: Mapping[str, str]) -> str:
    """Names a point's folder.

    Example:
      >>> folder_name({"seed": "0", "density.steps": "9"})
      'seed=0,density.steps=9'
    """
    return ",".join(f"{field}={value}" for field, value in point.items())


def is_finished(folder: str | os.PathLike[str], split: str) -> bool:
    """Tests whether a point was evaluated on "test" or "validation" images."""
    file = results_folder(folder, split) / "metrics.json"
    try:
        return json.loads(file.read_text()).get("split") == split
    except (OSError, ValueError, AttributeError):  # a damaged one is written again
        return False


def read_rows(
    workdir: str | os.PathLike[str], split: str | None = None
) -> list[dict[str, Any]]:
    """Reads the finished points of a sweep.

    Args:
      workdir: the sweep's folder.
      split: "test" or "validation", the evaluated images; None: "validation" if a point
        was evaluated on these.

    Returns:
      A dict per point, the least MAE first: its fields as str, then its scores, numbers
      or None.

    Raises:
      ValueError: no point is finished, or a metrics.json is damaged.
    """
    rows: list[dict[str, Any]] = []
    folders = sorted(Path(workdir).glob("*=*"))
    if split is None:
        validated = any((folder / VALIDATION).exists() for folder in folders)
        split = VALIDATION if validated else "test"
    for folder in folders:
        file = results_folder(folder, split) / "metrics.json"
        if file.exists():
            point = dict(part.split("=", 1) for part in folder.name.split(","))
            rows.append(point | _scores(file))
    if not rows:
        raise ValueError(f"{workdir} has no finished run of a sweep")
    return sorted(rows, key=lambda row: row["mae"])


def _scores(file):
    try:
        scores = json.loads(file.read_text())
        return {"mae": float(scores["mae"])} | {name: scores[name] for name in SCORES}
    except (ValueError, LookupError, TypeError):
        raise ValueError(
            f"{file} is damaged: evaluate that run again, with --mode=evaluate"
        ) from None


def write_table(workdir: str | os.PathLike[str], split: str | None = None) -> str:
    """Writes sweep.csv into the sweep's folder.

    Args:
      workdir: the sweep's folder.
      split: as in `read_rows`.

    Returns:
      The table as text of several lines.

    Raises:
      ValueError: no point is finished, or a metrics.json is damaged.
    """
    rows = read_rows(workdir, split)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    atomic_write.write_atomic(Path(workdir) / "sweep.csv", text.getvalue().encode())
    return _format(rows, columns)


def _format(rows, columns):
    lines = [
        columns,
        *([_cell(name, row.get(name)) for name in columns] for row in rows),
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )


def _cell(name, value):
    if value is None:
        return "-"
    return f"{value:.{SCORES[name]}f}" if name in SCORES else value

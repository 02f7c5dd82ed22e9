"""predictions.csv: what a run's evaluation found, a row for each test photograph."""

import csv
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cpcnn_jax import files

NAME = "predictions.csv"


class Prediction(NamedTuple):
    """What two runs are compared by."""

    count: float  # people there
    predicted: float
    level: str = ""  # of density; "" where the file has no such column


def write(run, rows):
    """Write the rows, of which each has the same columns.

    Args:
      run: its workdir.
      rows: dicts, at least one; name, count and predicted come first.
    """
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.replace(Path(run) / NAME, table.getvalue().encode())


def read(run):
    """Read them.

    Args:
      run: its workdir.

    Returns:
      Dict of name to `Prediction`, of at least 2 photographs.

    Raises:
      ValueError: the file is missing, or a line of it cannot be used.
    """
    path = Path(run) / NAME
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = _rows(csv.DictReader(file), path)
    except FileNotFoundError:
        raise ValueError(
            f"{path} does not exist: evaluate the run first, with --mode=evaluate"
        ) from None
    except (OSError, UnicodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    if len(rows) < 2:
        raise ValueError(f"{path}: expected at least 2 photographs, got {len(rows)}")
    return rows


def _rows(table, path):
    needed = ("name", "count", "predicted")
    if missing := [c for c in needed if c not in (table.fieldnames or ())]:
        raise ValueError(f"{path} has no column {', '.join(missing)}")
    rows = {}
    for row in table:
        if row["name"] in rows:
            raise ValueError(f"{path} has {row['name']} twice")
        people = _people(row, f"{path}, line {table.line_num}")
        rows[row["name"]] = Prediction(*people, row.get("level") or "")
    return rows


def _people(row, place):
    try:
        people = float(row["count"]), float(row["predicted"])
    except (TypeError, ValueError):
        people = (float("nan"),)
    if not np.isfinite(people).all():
        raise ValueError(
            f"{place}: expected two numbers of people, got count {row['count']!r} and "
            f"predicted {row['predicted']!r}"
        )
    return people

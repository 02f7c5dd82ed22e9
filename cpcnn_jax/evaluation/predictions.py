"""predictions.csv of a run: a row per photograph, written, read and checked."""

import csv
import io
import math
from pathlib import Path

from cpcnn_jax.io import atomic_write

NAME = "predictions.csv"
COLUMNS = ("name", "count", "predicted")


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
    atomic_write.write_atomic(Path(run) / NAME, table.getvalue().encode())


def read(run):
    """Read what the evaluation of a run wrote.

    Args:
      run: its workdir.

    Returns:
      A dict per photograph: name, count and predicted (people, finite), and the other
      columns of the file as str.

    Raises:
      ValueError: `predictions.csv` is missing, or a line of it cannot be used.
    """
    path = Path(run) / NAME
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return _rows(csv.DictReader(file), path)
    except FileNotFoundError:
        raise ValueError(
            f"{path} does not exist: evaluate the run first, with --mode=evaluate"
        ) from None
    except (OSError, UnicodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def _rows(table, path):
    if missing := [c for c in COLUMNS if c not in (table.fieldnames or ())]:
        raise ValueError(f"{path} has no column {', '.join(missing)}")
    rows, names = [], set()
    for row in table:
        if row["name"] in names:
            raise ValueError(f"{path} has {row['name']} twice")
        names.add(row["name"])
        people = _people(row, f"{path}, line {table.line_num}")
        rows.append(row | dict(zip(("count", "predicted"), people, strict=True)))
    return rows


def _people(row, place):
    try:
        people = float(row["count"]), float(row["predicted"])
    except (TypeError, ValueError):
        people = (math.nan,)
    if not all(map(math.isfinite, people)):
        raise ValueError(
            f"{place}: expected two numbers of people, got count {row['count']!r} and "
            f"predicted {row['predicted']!r}"
        )
    return people

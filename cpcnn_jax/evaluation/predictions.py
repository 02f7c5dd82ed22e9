"""Table predictions.csv of a run, one row per image."""

import csv
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cpcnn_jax.io import atomic_write

NAME = "predictions.csv"
VALIDATION = "validation"
COUNTS = ("count", "predicted")  # columns of people
COLUMNS = ("name", *COUNTS)


def results_folder(run: str | os.PathLike[str], split: str) -> Path:
    """Names the folder of the results on a split: the workdir, or one in it.

    Example:
      >>> [results_folder("runs/a", split).name for split in ("test", "validation")]
      ['a', 'validation']
    """
    return Path(run, VALIDATION) if split == VALIDATION else Path(run)


def write(run: str | os.PathLike[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes one or more rows into a folder; their equal keys start with `COLUMNS`."""
    values = ([row[name] for name in rows[0]] for row in rows)
    atomic_write.write_csv(Path(run) / NAME, [list(rows[0]), *values])


def read(run: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Reads the table.

    Args:
      run: the run's workdir.

    Returns:
      A dict per image; count and predicted are finite people, all other columns str.

    Raises:
      ValueError: the file is missing or has an invalid line.
    """
    path = Path(run) / NAME
    try:
        with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
            return _read_rows(csv.DictReader(file), path)
    except FileNotFoundError:
        raise ValueError(
            f"{path} does not exist: evaluate the run first, with --mode=evaluate"
        ) from None
    except (OSError, UnicodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


def _read_rows(table, path):
    if missing := [c for c in COLUMNS if c not in (table.fieldnames or ())]:
        raise ValueError(f"{path} has no column {', '.join(missing)}")
    rows: dict[str, dict[str, Any]] = {}
    for row in table:
        if row["name"] in rows:
            raise ValueError(f"{path} has {row['name']} twice")
        rows[row["name"]] = row | _parse_counts(row, f"{path}, line {table.line_num}")
    return list(rows.values())


def _parse_counts(row, place):
    try:
        counts = {name: float(row[name]) for name in COUNTS}
    except (TypeError, ValueError):
        counts = {"count": math.nan}
    if not all(map(math.isfinite, counts.values())):
        raise ValueError(
            f"{place}: expected two numbers of people, got count {row['count']!r} and "
            f"predicted {row['predicted']!r}"
        )
    return counts

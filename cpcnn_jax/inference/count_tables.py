"""Tables of the counts of files: JSON and CSV."""

import os
from collections.abc import Iterable, Sequence

from cpcnn_jax.inference.count_files import FileCount
from cpcnn_jax.io import atomic_write

COLUMNS = (
    *("file", "count", "low", "high", "error"),
    *("seconds", "width", "height", "weights"),
)


def write_json(
    path: str | os.PathLike[str], rows: Iterable[FileCount], names: Sequence[str] = ()
) -> None:
    """Writes the rows as a JSON list of objects with the keys of `COLUMNS`.

    With named regions each has "regions": people by name, or null where the region does
    not fit the image or the image was not counted.
    """
    records = []
    for row in rows:
        record = {name: getattr(row, name) for name in COLUMNS}
        if names:
            record["regions"] = {name: row.regions.get(name) for name in names}
        records.append(record)
    atomic_write.write_json(path, records)


def write_csv(
    path: str | os.PathLike[str], rows: Iterable[FileCount], names: Sequence[str] = ()
) -> None:
    """Writes the rows as CSV: the columns of `COLUMNS`, and each named region."""
    table: list[list] = [[*COLUMNS, *names]]
    for row in rows:
        people = [row.regions.get(name) for name in names]
        table.append([*(getattr(row, name) for name in COLUMNS), *people])
    atomic_write.write_csv(path, table)


def write_points(path: str | os.PathLike[str], rows: Iterable[FileCount]) -> None:
    """Writes the heads of all images as CSV: file, and x and y in pixels."""
    table: list[list] = [["file", "x", "y"]]
    for row in rows:
        heads = [] if row.points is None else row.points.round(1).tolist()
        table += [[row.file, x, y] for x, y in heads]
    atomic_write.write_csv(path, table)

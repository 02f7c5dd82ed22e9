"""A sweep: one experiment at every combination of some fields' values, one table.

    python -m cpcnn_jax sweep runs/rates

prints the table of what is finished, best first, and writes it to sweep.csv.
`launch.py --sweep` runs the points, each in a folder of the sweep's workdir that is
named after its values.
"""

import csv
import io
import itertools
import json
from pathlib import Path

from cpcnn_jax.io import atomic_write

# From metrics.json, and how many decimals of each are printed.
SCORES = {"mae": 2, "rmse": 2, "psnr": 2, "ssim": 3, "num_images": 0}


def grid_points(sweeps):
    """Every combination of the values.

    Args:
      sweeps: list of "FIELD=VALUE,VALUE...", fields of `config.Experiment`.

    Returns:
      A list of dicts of field to value, str; the last field turns fastest.

    Raises:
      ValueError: one is not so written, or a field comes twice.

    Example:
      >>> grid_points(["seed=0,1", "gce.steps=5"])
      [{'seed': '0', 'gce.steps': '5'}, {'seed': '1', 'gce.steps': '5'}]
    """
    axes = {}
    for text in sweeps:
        field, _, values = text.partition("=")
        values = values.split(",")
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


def folder_name(point):
    """A point's folder, from which `read_rows` reads the point again.

    Example:
      >>> folder_name({"seed": "0", "density.steps": "9"})
      'seed=0,density.steps=9'
    """
    return ",".join(f"{field}={value}" for field, value in point.items())


def is_finished(folder, split=None):
    """Whether a point's run has been trained and scored, on a split if one is given."""
    file = Path(folder) / "metrics.json"
    if split is None or not file.exists():
        return file.exists()
    try:
        return json.loads(file.read_text()).get("split") == split
    except (ValueError, AttributeError):  # damaged: it is scored again
        return False


def read_rows(workdir):
    """The finished points.

    Args:
      workdir: of the sweep.

    Returns:
      A dict a point, the least MAE first: its fields, str, then its scores, numbers
      or, where a score does not exist, None.

    Raises:
      ValueError: no point is finished, or its metrics.json is damaged.
    """
    found = []
    for folder in sorted(Path(workdir).glob("*=*")):
        if is_finished(folder):
            point = dict(part.split("=", 1) for part in folder.name.split(","))
            found.append(point | _scores(folder / "metrics.json"))
    if not found:
        raise ValueError(f"{workdir} has no finished run of a sweep")
    return sorted(found, key=lambda row: row["mae"])


def _scores(file):
    try:
        scores = json.loads(file.read_text())
        return {"mae": float(scores["mae"])} | {name: scores[name] for name in SCORES}
    except (ValueError, LookupError, TypeError):
        raise ValueError(
            f"{file} is damaged: evaluate that run again, with --mode=evaluate"
        ) from None


def write_table(workdir):
    """Write `sweep.csv` into the sweep's folder.

    Args:
      workdir: of the sweep.

    Returns:
      The table, a str of several lines.

    Raises:
      ValueError: as in `read_rows`.
    """
    found = read_rows(workdir)
    columns = list(dict.fromkeys(name for row in found for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    atomic_write.write_atomic(Path(workdir) / "sweep.csv", text.getvalue().encode())
    return _in_words(found, columns)


def _in_words(found, columns):
    lines = [
        columns,
        *([_cell(name, row.get(name)) for name in columns] for row in found),
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

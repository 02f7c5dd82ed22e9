"""Paired comparison of two runs on the same images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cpcnn_jax.evaluation import bootstrap, metrics

Rows = Sequence[Mapping[str, Any]]


def pair_predictions(
    a: Rows, b: Rows
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str] | None]:
    """Pairs two runs' predictions of the images in common, by image name.

    Args:
      a: rows of `predictions.read` for run a.
      b: rows for run b.

    Returns:
      True counts `[N]`, predictions of a `[N]` and of b `[N]`, people; and the N
      density levels, or None where the runs have different levels. `list_unpaired`
      names the other images.

    Raises:
      ValueError: fewer than 2 images are in common, or their true counts differ.

    Example:
      >>> x, y = {"name": "x", "count": 5.0}, {"name": "y", "count": 7.0}
      >>> a = [x | {"predicted": 4.0}, y | {"predicted": 7.5}]
      >>> b = [y | {"predicted": 9.0}, x | {"predicted": 5.0}]
      >>> pair_predictions(a, b)
      (array([5., 7.]), array([4. , 7.5]), array([5., 9.]), None)
    """
    rows_a, rows_b = ({row["name"]: row for row in rows} for rows in (a, b))
    pairs = [(row, rows_b[name]) for name, row in rows_a.items() if name in rows_b]
    if len(pairs) < 2:
        text = f"expected at least 2 images in common, got {len(pairs)}"
        raise ValueError(f"{text}; only one run has {list_unpaired(a, b)}")
    if unequal := [row["name"] for row, b in pairs if row["count"] != b["count"]]:
        raise ValueError(f"the runs have different true counts: {_list_names(unequal)}")
    levels: list[Any] = [row.get("level") for row, _ in pairs]
    agree = all(levels) and levels == [row.get("level") for _, row in pairs]
    true = np.array([row["count"] for row, _ in pairs])
    predicted = np.array([[row["predicted"] for row in pair] for pair in pairs])
    return true, predicted[:, 0], predicted[:, 1], levels if agree else None


def list_unpaired(a: Rows, b: Rows) -> str:
    """Lists the images of only one of two runs, at most five by name; "" for none.

    Example:
      >>> list_unpaired([{"name": "x"}, {"name": "y"}], [{"name": "y"}])
      'x'
    """
    names_a, names_b = ({row["name"] for row in rows} for rows in (a, b))
    return _list_names(sorted(names_a ^ names_b))


def _list_names(names):
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def compare_runs(
    runs: Sequence[str],
    true: np.ndarray,
    predicted: Sequence[np.ndarray],
    levels: Sequence[str] | None,
) -> dict[str, Any]:
    """Computes the scores of two runs and their difference.

    Args:
      runs: names of the two runs.
      true: `[N]` people.
      predicted: two arrays `[N]`, people.
      levels: N density levels, or None.

    Returns:
      The dict that `--json` writes, with levels in ascending order of their counts.
    """
    errors = [np.abs(counts - true) for counts in predicted]
    return {
        "num_images": len(true),
        "runs": [
            {
                "run": run,
                "mae": metrics.mae(counts, true),
                "mae_interval": bootstrap.mean_interval(error),
                "rmse": metrics.rmse(counts, true),
            }
            for run, counts, error in zip(runs, predicted, errors, strict=True)
        ],
        "difference": bootstrap.paired_difference(*errors)._asdict(),
        "bootstrap": bootstrap.BOOTSTRAP,
        "mae_per_level": levels and _score_levels(true, errors, np.array(levels)),
    }


def _score_levels(true, errors, levels):
    ascending = dict.fromkeys(levels[np.argsort(true, kind="stable")].tolist())
    return [
        {
            "level": level,
            "num_images": int(np.sum(levels == level)),
            "mae": [float(error[levels == level].mean()) for error in errors],
        }
        for level in ascending
    ]


def format_comparison(comparison: Mapping[str, Any]) -> str:
    """Formats the result of `compare_runs` as several lines."""
    keys = ("runs", "difference", "bootstrap")
    runs, difference, draws = (comparison[key] for key in keys)
    return "\n".join(
        [
            f"{comparison['num_images']} images, errors in people (RMSE is MSE in "
            "crowd papers)",
            "",
            *_align(_run_rows(runs, difference)),
            "",
            *_align(_level_rows(runs, comparison["mae_per_level"])),
            "",
            "Wilcoxon's signed-rank test of the errors: "
            f"p = {difference['p_value']:.2g}",
            f"A negative difference means a smaller error of {runs[0]['run']}.",
            "Intervals: percentile bootstrap over the images, "
            f"{draws['resamples']:,} resamples, seed {draws['seed']}.",
        ]
    )


def _run_rows(runs, difference):
    rows = [("", "MAE", "95% interval", "RMSE")]
    for run in runs:
        low, high = run["mae_interval"]
        interval = f"{low:.2f} to {high:.2f}"
        rows.append((run["run"], f"{run['mae']:.2f}", interval, f"{run['rmse']:.2f}"))
    interval = f"{difference['low']:+.2f} to {difference['high']:+.2f}"
    return [*rows, ("difference", f"{difference['mean']:+.2f}", interval, "")]


def _level_rows(runs, levels):
    if levels is None:
        return [("No MAE per density level: the runs do not have the same levels.",)]
    rows = [("MAE of level", "images", *(run["run"] for run in runs), "difference")]
    for level in levels:
        a, b = level["mae"]
        number = str(level["num_images"])
        rows.append((level["level"], number, f"{a:.2f}", f"{b:.2f}", f"{a - b:+.2f}"))
    return rows


def _align(rows):
    """Yields table lines with the first column left-aligned, the others right."""
    first, *rest = (max(map(len, column)) for column in zip(*rows, strict=True))
    for name, *cells in rows:
        right = (cell.rjust(width) for cell, width in zip(cells, rest, strict=True))
        yield "  ".join([name.ljust(first), *right]).rstrip()

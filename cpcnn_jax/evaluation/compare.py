"""Paired comparison of two runs on the same images."""

import numpy as np

from cpcnn_jax.evaluation import bootstrap, metrics


def pair_predictions(a, b):
    """Two runs' predictions, photograph by photograph.

    Args:
      a: of `predictions.read`, at least 2.
      b: likewise.

    Returns:
      true `[N]`, predicted by a `[N]` and predicted by b `[N]`, people; and the density
      level of each photograph, a list, or None where the runs do not agree on it.

    Raises:
      ValueError: they are of different photographs, or true counts differ.

    Example:
      >>> x, y = {"name": "x", "count": 5.0}, {"name": "y", "count": 7.0}
      >>> a = [x | {"predicted": 4.0}, y | {"predicted": 7.5}]
      >>> b = [y | {"predicted": 9.0}, x | {"predicted": 5.0}]
      >>> pair_predictions(a, b)
      (array([5., 7.]), array([4. , 7.5]), array([5., 9.]), None)
    """
    a, b = ({row["name"]: row for row in run} for run in (a, b))
    if lone := sorted(a.keys() ^ b.keys()):
        raise ValueError(f"only one run has the photographs {_some(lone)}")
    if other := [name for name in a if a[name]["count"] != b[name]["count"]]:
        raise ValueError(f"the runs hold different true counts of {_some(other)}")
    levels = [a[name].get("level") for name in a]
    agreed = all(levels) and levels == [b[name].get("level") for name in a]
    true = np.array([a[name]["count"] for name in a])
    of_a, of_b = (np.array([run[name]["predicted"] for name in a]) for run in (a, b))
    return true, of_a, of_b, levels if agreed else None


def _some(names):
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def compare_runs(runs, true, predicted, levels):
    """All that can be said of two runs.

    Args:
      runs: the two runs' names.
      true: `[N]` people.
      predicted: two arrays `[N]`, people.
      levels: of `pair_predictions`.

    Returns:
      A dict, as `--json` writes it; its levels are in the order of their counts.
    """
    errors = [np.abs(people - true) for people in predicted]
    difference = bootstrap.paired_difference(*errors)
    return {
        "num_images": len(true),
        "runs": [
            {
                "run": run,
                "mae": metrics.mae(people, true),
                "mae_interval": bootstrap.mean_interval(error),
                "rmse": metrics.rmse(people, true),
            }
            for run, people, error in zip(runs, predicted, errors, strict=True)
        ],
        "difference": difference._asdict(),
        "bootstrap": bootstrap.BOOTSTRAP,
        "mae_per_level": levels and _per_level(true, errors, np.array(levels)),
    }


def _per_level(true, errors, levels):
    found = []
    for level in dict.fromkeys(levels[np.argsort(true, kind="stable")].tolist()):
        mae = [float(error[levels == level].mean()) for error in errors]
        number = int(np.sum(levels == level))
        found.append({"level": level, "num_images": number, "mae": mae})
    return found


def format_comparison(found):
    """The comparison for people to read.

    Args:
      found: of `compare_runs`.

    Returns:
      A str of several lines.
    """
    runs, difference, draws = (found[k] for k in ("runs", "difference", "bootstrap"))
    images, p_value = found["num_images"], difference["p_value"]
    return "\n".join(
        [
            f"{images} photographs, errors in people (RMSE is MSE in crowd papers)",
            "",
            *_table(_run_rows(runs, difference)),
            "",
            *_table(_level_rows(runs, found["mae_per_level"])),
            "",
            f"Wilcoxon's signed-rank test of the errors: p = {p_value:.2g}",
            f"A difference below 0 means that {runs[0]['run']} errs less.",
            "Intervals: percentile bootstrap over the photographs, "
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
    names = [run["run"] for run in runs]
    rows = [("MAE of level", "photographs", *names, "difference")]
    for level in levels:
        a, b = level["mae"]
        number = str(level["num_images"])
        rows.append((level["level"], number, f"{a:.2f}", f"{b:.2f}", f"{a - b:+.2f}"))
    return rows


def _table(rows):
    """Lines; the first column on the left, the others on the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = [
            cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)
        ]
        yield "  ".join([first.ljust(widths[0]), *cells]).rstrip()

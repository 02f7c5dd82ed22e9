"""python -m cpcnn_jax compare: two runs on the same photographs, and how sure it is."""

import argparse
import sys
from pathlib import Path

import numpy as np

from cpcnn_jax import metrics, predictions, uncertainty

RESAMPLES, SEED = 10_000, 0  # of every interval, so that all are of the same draws


def read_predictions(run):
    """Read what the evaluation of a run wrote.

    Args:
      run: its workdir.

    Returns:
      Dict of name to (count, predicted), people; other columns are ignored.

    Raises:
      ValueError: `predictions.csv` is missing, or a line of it cannot be used.
    """
    rows = predictions.read(run)
    if len(rows) < 2:
        raise ValueError(
            f"{Path(run) / 'predictions.csv'}: expected at least 2 photographs, got "
            f"{len(rows)}"
        )
    return {row["name"]: (row["count"], row["predicted"]) for row in rows}


def paired(a, b):
    """Two runs' counts, photograph by photograph.

    Args:
      a: of `read_predictions`.
      b: likewise.

    Returns:
      true `[N]`, predicted by a `[N]` and predicted by b `[N]`, people.

    Raises:
      ValueError: they are of different photographs, or true counts differ.

    Example:
      >>> paired({"x": (5.0, 4.0), "y": (7.0, 7.5)}, {"y": (7.0, 9.0), "x": (5.0, 5.0)})
      (array([5., 7.]), array([4. , 7.5]), array([5., 9.]))
    """
    if lone := sorted(a.keys() ^ b.keys()):
        raise ValueError(f"only one run has the photographs {_some(lone)}")
    if other := [name for name in a if a[name][0] != b[name][0]]:
        raise ValueError(f"the runs hold different true counts of {_some(other)}")
    true, of_a = np.array(list(a.values())).T
    return true, of_a, np.array([b[name][1] for name in a])


def _some(names):
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def table(runs, true, predicted):
    """The comparison as text.

    Args:
      runs: the two runs' names.
      true: `[N]` people.
      predicted: two arrays `[N]`, people.

    Returns:
      A str of several lines.
    """
    errors = [np.abs(people - true) for people in predicted]
    rows = [("", "MAE", "95% interval", "RMSE")]
    for run, people, error in zip(runs, predicted, errors, strict=True):
        low, high = uncertainty.mean_interval(error, **_draws())
        mae, rmse = metrics.mae(people, true), metrics.rmse(people, true)
        rows.append((run, f"{mae:.2f}", f"{low:.2f} to {high:.2f}", f"{rmse:.2f}"))
    found = uncertainty.paired_difference(*errors, **_draws())
    interval = f"{found.low:+.2f} to {found.high:+.2f}"
    rows.append(("difference", f"{found.mean:+.2f}", interval, ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        [
            f"{len(true)} photographs, errors in people (RMSE is MSE in crowd papers)",
            "",
            *(_line(row, widths) for row in rows),
            "",
            f"Wilcoxon's signed-rank test of the errors: p = {found.p_value:.2g}",
            f"A difference below 0 means that {runs[0]} errs less.",
            f"Intervals: percentile bootstrap over the photographs, {RESAMPLES:,} "
            f"resamples, seed {SEED}.",
        ]
    )


def _draws():
    return {"resamples": RESAMPLES, "rng": np.random.default_rng(SEED)}


def _line(row, widths):
    first, *rest = zip(row, widths, strict=True)
    cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
    return "  ".join(cells).rstrip()


def main(argv):
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m cpcnn_jax compare",
        description="Compare two evaluated runs on the photographs that both scored: "
        "each MAE with its 95%% interval, their difference, and a paired test.",
    )
    parser.add_argument("run_a", help="a workdir with predictions.csv")
    parser.add_argument("run_b", help="another")
    args = parser.parse_args(argv)
    runs = (args.run_a, args.run_b)
    try:
        true, *predicted = paired(*map(read_predictions, runs))
    except ValueError as error:
        print(f"compare: {error}", file=sys.stderr)
        return 1
    print(table(runs, true, predicted))
    return 0

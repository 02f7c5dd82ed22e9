"""`cpcnn_jax compare`: two evaluated runs on the same images."""

import json
import sys
from pathlib import Path

from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.evaluation import compare, predictions
from cpcnn_jax.io import atomic_write


def main(argv):
    """The command; returns the exit status."""
    parser = Parser(
        prog="python -m cpcnn_jax compare",
        description="Compare two evaluated runs on the photographs that both scored: "
        "each MAE with its 95%% interval, their difference, a paired test, and the MAE "
        "of each density level.",
    )
    parser.add_argument("run_a", help="a workdir with predictions.csv")
    parser.add_argument("run_b", help="another")
    parser.add_argument("--json", metavar="FILE", help="write the numbers there, too")
    args = parser.parse_args(argv)
    runs = (args.run_a, args.run_b)
    try:
        true, *predicted, levels = compare.pair_predictions(*map(_read, runs))
        found = compare.compare_runs(runs, true, predicted, levels)
        if args.json:
            atomic_write.write_atomic(
                args.json, (json.dumps(found, indent=2) + "\n").encode()
            )
    except (ValueError, OSError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 1
    print(compare.format_comparison(found))
    return 0


def _read(run):
    rows = predictions.read(run)
    if len(rows) < 2:
        file = Path(run) / predictions.NAME
        raise ValueError(f"{file}: expected at least 2 photographs, got {len(rows)}")
    return rows

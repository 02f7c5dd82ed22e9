"""`cpcnn_jax compare`: two evaluated runs on the images in common."""

import sys
from collections.abc import Sequence
from pathlib import Path

from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.evaluation import compare, predictions
from cpcnn_jax.io import atomic_write


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns the exit status."""
    return make_parser().run(argv, _compare)


def make_parser() -> Parser:
    """Makes the parser of the command's arguments."""
    parser = Parser(
        prog="cpcnn_jax compare",
        description="Compare two evaluated runs on the images in common: each MAE "
        "with its 95% interval, their difference, a paired test, and the MAE of each "
        "density level.",
    )
    parser.add_argument("run_a", help="a workdir with predictions.csv")
    parser.add_argument("run_b", help="another workdir")
    parser.add_argument("--json", metavar="FILE", help="also write the numbers to FILE")
    return parser


def _compare(args):
    runs = (args.run_a, args.run_b)
    rows = [*map(_read_predictions, runs)]
    true, a, b, levels = compare.pair_predictions(*rows)
    if names := compare.list_unpaired(*rows):
        print(f"compare: left out, of only one run: {names}", file=sys.stderr)
    comparison = compare.compare_runs(runs, true, (a, b), levels)
    if args.json:
        files = (Path(run) / predictions.NAME for run in runs)
        atomic_write.check_not_input(args.json, files)
        atomic_write.write_json(args.json, comparison)
    print(compare.format_comparison(comparison))


def _read_predictions(run):
    rows = predictions.read(run)
    if len(rows) < 2:
        file = Path(run) / predictions.NAME
        raise ValueError(f"{file}: expected at least 2 images, got {len(rows)}")
    return rows

"""`cpcnn_jax sweep`: the table of a sweep's finished runs."""

from collections.abc import Sequence

from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.training import sweep


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns the exit status."""
    return make_parser().run(argv, lambda args: print(sweep.write_table(args.workdir)))


def make_parser() -> Parser:
    """Makes the parser of the command's arguments."""
    parser = Parser(
        prog="cpcnn_jax sweep",
        description="Print the finished runs of a sweep as a table in ascending order "
        "of MAE, and write it to WORKDIR/sweep.csv.",
    )
    parser.add_argument("workdir", help="the workdir of launch.py --sweep")
    return parser

"""`cpcnn_jax sweep`: the table of a sweep's finished runs."""

from collections.abc import Sequence
from pathlib import Path

from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.training import sweep


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns the exit status."""
    return make_parser().run(argv, lambda args: print(_write_table(args.workdir)))


def _write_table(workdir):
    if not Path(workdir).is_dir():
        raise ValueError(f"there is no folder {workdir}")
    return sweep.write_table(workdir)


def make_parser() -> Parser:
    """Makes the parser of the command's arguments."""
    parser = Parser(
        prog="cpcnn_jax sweep",
        description="Print the finished runs of a sweep as a table in ascending order "
        "of MAE, and write it to WORKDIR/sweep.csv.",
    )
    parser.add_argument("workdir", help="the workdir of launch.py --sweep")
    return parser

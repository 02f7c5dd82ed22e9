"""`cpcnn_jax report`: an evaluated run as one HTML page."""

from collections.abc import Sequence

from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.evaluation.report import page


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns the exit status."""
    return make_parser().run(argv, lambda args: print(page.write(args.run, args.out)))


def make_parser() -> Parser:
    """Makes the parser of the command's arguments."""
    parser = Parser(
        prog="cpcnn_jax report",
        description="Write the report of an evaluated run as one HTML page: scores "
        "beside published results, training curves, all images, and pictures of some.",
    )
    parser.add_argument("run", help="a workdir with metrics.json and predictions.csv")
    parser.add_argument("--out", help="output file (default: RUN/report.html)")
    return parser

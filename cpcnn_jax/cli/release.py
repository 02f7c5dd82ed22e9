"""`cpcnn_jax release`: trained weights as a small file for publication."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from cpcnn_jax.cli.out_flag import check_out
from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.evaluation import predictions
from cpcnn_jax.inference.prediction_interval import fit_intervals
from cpcnn_jax.io import atomic_write
from cpcnn_jax.weights import pretrained, serialization


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns the exit status."""
    return make_parser().run(argv, lambda args: print(_release(args)))


def _release(args):
    """Writes the file and returns its description."""
    file = pretrained.find_weights(args.weights)
    check_out("--out", args.out)
    atomic_write.check_not_input(args.out, [file])
    small = serialization.to_float16(serialization.load(file))
    model, blocks = serialization.load_model(file), serialization.load_blocks(file)
    intervals = _intervals(args, file)
    serialization.save(args.out, small, model, blocks=blocks, intervals=intervals)
    content = Path(args.out).read_bytes()
    return (
        f"{args.out} ({len(content) / 1e6:.1f} MB), float16\n"
        f"SHA-256 {hashlib.sha256(content).hexdigest()}"
    )


def _intervals(args, file):
    """The header entry of prediction intervals, or None."""
    if not args.validation:
        return serialization.load_intervals(file)
    folder = predictions.results_folder(args.validation, predictions.VALIDATION)
    if not folder.is_dir():
        raise ValueError(
            f"--validation={args.validation} has no folder validation: evaluate the "
            "run with --mode=evaluate --eval_split=validation"
        )
    rows = predictions.read(folder)
    try:
        true, predicted = ([row[name] for row in rows] for name in predictions.COUNTS)
        pixels = [int(row["width"]) * int(row["height"]) for row in rows]
        return fit_intervals(true, predicted, pixels)._asdict()
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"--validation={args.validation}: {error}") from None


def make_parser() -> Parser:
    """Makes the parser of the command's arguments."""
    parser = Parser(
        prog="cpcnn_jax release",
        description="Write trained weights in half precision, a file of half the size.",
    )
    add = parser.add_argument
    add("weights", metavar="WEIGHTS", help=pretrained.HELP)
    add("--out", required=True, metavar="FILE", help="the file to write")
    add(
        "--validation",
        metavar="WORKDIR",
        help="a run that was evaluated with --eval_split=validation; counts by the new "
        "file get intervals from its errors",
    )
    return parser

"""`cpcnn_jax release`: trained weights as a small file for publication."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.weights import compression, pretrained, serialization


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns the exit status."""
    return _parser().run(argv, lambda args: print(_release(args)))


def _release(args):
    """Writes the file and returns its description."""
    file = pretrained.find_weights(args.weights)
    model, trained = serialization.load_model(file), serialization.load(file)
    if args.base:
        reference = pretrained.load_params(args.base)
    else:
        reference = compression.imagenet_params(model, args.vgg16)
    small, digest = compression.compress(trained, reference)
    blocks, base = serialization.load_blocks(file), args.base if digest else None
    serialization.save(args.out, small, model, blocks=blocks, digest=digest, base=base)
    content = Path(args.out).read_bytes()
    omitted = len(trained) - len(small)
    return (
        f"{args.out} ({len(content) / 1e6:.1f} MB), float16"
        + (f", without {omitted} arrays of {base or 'VGG-16'}" if digest else "")
        + f"\nSHA-256 {hashlib.sha256(content).hexdigest()}"
    )


def _parser():
    parser = Parser(
        prog="python -m cpcnn_jax release",
        description="Write trained weights as a small file: float16, without the "
        "layers that equal ImageNet's VGG-16. Loading it needs VGG-16 too (`python -m "
        "cpcnn_jax import-weights vgg16`).",
    )
    add = parser.add_argument
    add("weights", metavar="WEIGHTS", help=pretrained.HELP)
    add("--out", required=True, metavar="FILE", help="the file to write")
    add(
        "--vgg16",
        default=serialization.VGG16,
        metavar="FILE",
        help="ImageNet's VGG-16 (default: %(default)s)",
    )
    add(
        "--base",
        choices=pretrained.PRETRAINED,
        help="omit the arrays that equal those of these pretrained weights, from which "
        "WEIGHTS were fine-tuned",
    )
    return parser

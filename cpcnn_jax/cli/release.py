"""python -m cpcnn_jax release: trained weights as a small file to pass on."""

import hashlib
import sys
from pathlib import Path

from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.weights import compression, pretrained, serialization


def main(argv):
    """Write the file.

    Args:
      argv: see --help.

    Returns:
      The exit status: 1 and one sentence where the weights cannot be read or written.
    """
    args = _parser().parse_args(argv)
    try:
        print(_release(args))
    except (ValueError, OSError) as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


def _release(args):
    file = pretrained.find_weights(args.weights)
    model, trained = serialization.load_model(file), serialization.load(file)
    if args.base:
        known = pretrained.load_params(args.base)
    else:
        known = compression.imagenet_params(model, args.vgg16)
    small, digest = compression.compress(trained, known)
    blocks, base = serialization.load_blocks(file), args.base if digest else None
    serialization.save(args.out, small, model, blocks=blocks, vgg16=digest, base=base)
    made = Path(args.out).read_bytes()
    left_out = len(trained) - len(small)
    return (
        f"{args.out} ({len(made) / 1e6:.1f} MB), float16"
        + (f", without {left_out} arrays of {base or 'VGG-16'}" if digest else "")
        + f"\nSHA-256 {hashlib.sha256(made).hexdigest()}"
    )


def _parser():
    parser = Parser(
        prog="python -m cpcnn_jax release",
        description="Write trained weights as a file to pass on: float16, and without "
        "the layers that are still ImageNet's VGG-16. Whoever loads it needs that "
        "file, too (`python -m cpcnn_jax import-weights vgg16`).",
    )
    add = parser.add_argument
    add("weights", metavar="WEIGHTS", help=pretrained.ANY)
    add("--out", required=True, metavar="FILE", help="the file to write")
    add(
        "--vgg16",
        default=serialization.VGG16,
        metavar="FILE",
        help="ImageNet's VGG-16 (default: %(default)s)",
    )
    add(
        "--base",
        choices=pretrained.RELEASES,
        help="leave out what these released weights have, too; WEIGHTS went on from "
        "them, and whoever loads the file has them",
    )
    return parser

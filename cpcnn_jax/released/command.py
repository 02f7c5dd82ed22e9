"""python -m cpcnn_jax release: trained weights as a small file to pass on."""

import hashlib
import sys
from pathlib import Path

from cpcnn_jax import released, weights
from cpcnn_jax.parser import Parser
from cpcnn_jax.released import slim


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
    file = released.find(args.weights)
    model, trained = weights.load_model(file), weights.load(file)
    if args.beside:
        known = released.load(args.beside)
    else:
        known = slim.imagenet(model, args.vgg16)
    small, digest = slim.slim(trained, known)
    blocks, base = weights.load_blocks(file), args.beside if digest else None
    weights.save(args.out, small, model, blocks=blocks, vgg16=digest, base=base)
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
        "file, too (`python -m cpcnn_jax vgg16`).",
    )
    add = parser.add_argument
    add("weights", metavar="WEIGHTS", help=released.ANY)
    add("--out", required=True, metavar="FILE", help="the file to write")
    add(
        "--vgg16",
        default=weights.VGG16,
        metavar="FILE",
        help="ImageNet's VGG-16 (default: %(default)s)",
    )
    add(
        "--beside",
        choices=released.RELEASES,
        help="leave out what these released weights have, too; WEIGHTS went on from "
        "them, and whoever loads the file has them",
    )
    return parser

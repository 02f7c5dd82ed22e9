"""Flags of the size of images and tiles, which all counting commands have."""

import argparse

from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.config.constants import PATCH


def add_size_flags(parser: Parser) -> None:
    """Adds --max-size and --tile-size to a command's parser."""
    parser.add_argument(
        "--max-size",
        type=int,
        metavar="N",
        help="reduce images with a longer side to N pixels first (default: never); "
        "regions remain in pixels of the original image",
    )
    parser.add_argument(
        "--tile-size",
        type=int,
        metavar="N",
        help="largest side of a tile in pixels; smaller tiles need less memory and "
        "more time, with the same result (default: 1920, or 1024 for the weights of "
        "cpcnn, mcnn and csrnet)",
    )


def check_max_size(args: argparse.Namespace) -> None:
    """Raises ValueError for a --max-size below the smallest image."""
    if args.max_size is not None and args.max_size < PATCH:
        raise ValueError(f"--max-size: expected at least {PATCH}, got {args.max_size}")

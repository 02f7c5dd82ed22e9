"""`cpcnn_jax count-many`: counts of very many images on several machines."""

import argparse
import contextlib
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from cpcnn_jax.cli.out_flag import check_out
from cpcnn_jax.cli.parser import Parser, UsageError
from cpcnn_jax.cli.size_flags import add_size_flags, check_max_size
from cpcnn_jax.inference import count_files
from cpcnn_jax.io import atomic_write, folder_listing
from cpcnn_jax.io.progress_bar import progress_bar
from cpcnn_jax.weights import pretrained

SHOWN_ERRORS = 10


def main(argv: Sequence[str]) -> int:
    """Runs the command.

    Args:
      argv: the arguments; see --help.

    Returns:
      The exit status: 0 if every file was counted, 1 if some were not, 2 for a wrong
      command line, 130 after Ctrl-C. The same command goes on after an end.
    """
    return make_parser().run(argv, _count)


def make_parser() -> Parser:
    """Makes the parser of the command's arguments."""
    parser = Parser(
        prog="cpcnn_jax count-many",
        description="Count the people in very many images with the workers of a Ray "
        "cluster, and write one Parquet table: a row for each file, with its count or "
        "its error. A run that was ended goes on with the same command.",
    )
    add = parser.add_argument
    add("paths", nargs="*", metavar="PATH", help="images and folders, as for count")
    add("--list", metavar="FILE", help="a text file of further paths, one a line")
    add("--out", required=True, metavar="FILE.parquet", help="the table to write")
    add(
        "--weights",
        default=pretrained.DEFAULT,
        help=f"{pretrained.HELP} (default: %(default)s)",
    )
    add(
        "--workers",
        type=int,
        metavar="N",
        help="processes that count (default: one for each GPU or, without GPUs, for "
        "each machine)",
    )
    add(
        "--address",
        metavar="HOST:PORT",
        help="a running Ray cluster, or auto; images, weights and --out lie in folders "
        "that its machines share (default: this machine alone)",
    )
    add(
        "--shard-size",
        type=int,
        default=200,
        metavar="N",
        help="files that a worker counts before it saves (default: %(default)s)",
    )
    add_size_flags(parser)
    return parser


def _count(args: argparse.Namespace) -> int:
    _check(args)
    listed = _read_list(args.list) if args.list else []
    rows, left_out = count_files.list_files([*args.paths, *listed])
    if args.address and (
        relative := [r.file for r in rows if not os.path.isabs(r.file)]
    ):
        text = "needs absolute paths, which mean the same on every machine; got"
        raise UsageError(f"--address: {text} {relative[0]}")
    if rows and not any(os.path.exists(row.file) for row in rows):
        first = rows[0]
        raise UsageError(first.error or f"there is no file or folder {first.file}")
    errors = _count_rows(rows, args)
    print(f"{len(rows) - errors:,} of {len(rows):,} counted: {args.out}")
    if left_out:
        print(f"left out: {folder_listing.describe(left_out)}")
    return int(errors > 0)


def _check(args):
    """Checks all that can be wrong before workers are started."""
    for flag, value in (("workers", args.workers), ("shard-size", args.shard_size)):
        if value is not None and value < 1:
            raise UsageError(f"--{flag}: expected at least 1, got {value}")
    try:
        check_max_size(args)
        check_out("--out", args.out)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not (args.paths or args.list):
        raise UsageError("no images: name files or folders, or a --list")
    if Path(args.out).suffix != ".parquet":
        raise UsageError(f"--out={args.out}: expected a name that ends in .parquet")
    if Path(args.out).exists():
        raise UsageError(f"--out={args.out} exists: remove it or name another file")
    atomic_write.check_writable(args.out)


def _read_list(file):
    lines = Path(file).read_text("utf-8", errors="surrogateescape").splitlines()
    return [line for line in lines if line.strip()]


def _count_rows(rows, args):
    """Counts in the cluster and writes the table; returns the number of errors."""
    from cpcnn_jax.data import checksums
    from cpcnn_jax.inference import count_many  # imports Ray, which takes seconds

    plan = count_many.Plan(
        weights=args.weights,
        weights_sha256=checksums.sha256(pretrained.find_weights(args.weights)),
        max_size=args.max_size,
        tile_size=args.tile_size,
        shard_size=args.shard_size,
    )
    folder, errors = Path(f"{args.out}.parts"), 0
    with (
        contextlib.redirect_stdout(sys.stderr),  # Ray prints the deaths of workers
        count_many.connect(args.address, args.workers),
        progress_bar(total=len(rows), desc="count-many", unit="file") as bar,
    ):

        def progress(number, wrong):
            nonlocal errors
            errors += wrong
            bar.set_postfix(errors=errors, refresh=False)
            bar.update(number)

        count_many.count_many(
            rows, plan, folder, workers=args.workers, progress=progress
        )
    count_many.merge_shards(folder, rows, plan, args.out)
    shutil.rmtree(folder)
    _print_errors(count_many.read_errors(args.out))
    return errors


def _print_errors(errors):
    """Prints the first sentences of a table."""
    for error in errors[:SHOWN_ERRORS]:
        print(f"count-many: {error}", file=sys.stderr)
    if (more := len(errors) - SHOWN_ERRORS) > 0:
        text = f"and {more:,} more: see the column error of the table"
        print(f"count-many: {text}", file=sys.stderr)

"""python -m cpcnn_jax count: how many people are in these photographs and films?"""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.inference import compilation_cache, count_files, counter, regions, tiling
from cpcnn_jax.io import atomic_write
from cpcnn_jax.io import video as video_io
from cpcnn_jax.weights import pretrained, serialization


def main(argv):
    """Count the people in photographs.

    Args:
      argv: see --help.

    Returns:
      The exit status: 0 when every photograph was counted, 1 when some were not, 130
      after Ctrl-C; what was counted is written in any case.

    Raises:
      SystemExit: status 2 and one sentence, where the command line is wrong.
    """
    parser = _parser()
    args = parser.parse_args(argv)
    compilation_cache.enable()
    try:
        _check(args)
        ready = counter.load(args.weights, tile_size=args.tile_size)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    rows = count_files.list_files(args.paths)
    wishes = count_files.CountOptions(
        args.region,
        args.max_size,
        args.density,
        args.overlay,
        args.count_curve,
        args.frame_step,
    )
    stopped = _count(rows, ready, wishes)
    try:
        _write(args, rows)
    except OSError as error:
        print(f"count: {error}", file=sys.stderr)
        return 1
    return 130 if stopped else int(any(row.error for row in rows))


def _count(rows, ready, wishes):
    """Print the table as it comes to be; whether it was stopped."""
    width = max(len(row.file) for row in rows)
    heads = [f"{region.name:>8}" for region in wishes.regions]
    print("  ".join([f"{'file':<{width}}  {'count':>9}  {'seconds':>7}", *heads]))
    try:
        with tqdm(total=len(rows), desc="count", unit="file", disable=None) as bar:
            for row in count_files.count_files(rows, ready, wishes):
                _print(row, width)
                bar.update()
        stopped = False
    except KeyboardInterrupt:
        stopped = True
        for row in rows:
            if row.count is None and not row.error:
                row.error = f"{row.file}: stopped before it was counted"
    counts = [row.count for row in rows if not row.error]
    print(f"{len(counts)} of {len(rows)} counted, {sum(counts):,.1f} people in all")
    return stopped


def _print(row, width):
    if row.error:
        tqdm.write(f"count: {row.error}", file=sys.stderr)
        cells = ["        -        -"]
    else:
        people = [f"{n:>{max(len(name), 8)}.1f}" for name, n in row.regions.items()]
        cells = [f"{row.count:>9.1f}  {row.seconds:>7.2f}", *people]
    name = row.file.encode(errors="backslashreplace").decode()  # any bytes may be in it
    tqdm.write("  ".join([f"{name:<{width}}", *cells]), file=sys.stdout)


def _write(args, rows):
    if args.json:
        atomic_write.write_atomic(args.json, count_files.as_json(rows))
    if args.csv:
        names = [region.name for region in args.region]
        atomic_write.write_atomic(args.csv, count_files.as_csv(rows, names))


def _parser():
    parser = Parser(
        prog="python -m cpcnn_jax count",
        description="Count the people in photographs (JPEG, PNG, WebP, BMP or TIFF, of "
        "any size from 64x64 pixels) and in the frames of films, whose count is the "
        "frames' mean.",
    )
    add = parser.add_argument
    add(
        "paths",
        nargs="+",
        metavar="PATH",
        help="a photograph, a folder of them (its subfolders too), a pattern in "
        f"quotes, a film ({', '.join(video_io.SUFFIXES)}), or - for standard input",
    )
    add(
        "--weights",
        metavar="WEIGHTS",
        help=f"{pretrained.ANY} (default: {counter.DEFAULT_TEXT})",
    )
    add(
        "--model",
        choices=list(serialization.DEFAULTS),
        help="count with the default weights of that network; `python -m cpcnn_jax "
        "import-weights` writes those of mcnn and csrnet; not needed with --weights",
    )
    add("--json", metavar="FILE", help="write file, count and error of each")
    add("--csv", metavar="FILE", help="write the table")
    add(
        "--density",
        metavar="DIR",
        help="write each density map: .npy, a 16-bit .png, and its scale as .json",
    )
    add(
        "--overlay",
        metavar="DIR",
        help="write each photograph or film with its density over it, and its count",
    )
    add(
        "--count-curve",
        metavar="DIR",
        help="write what becomes of each film's count: .csv, and a smoothed curve as "
        ".png",
    )
    add(
        "--frame-step",
        type=int,
        metavar="N",
        help="count every Nth frame of a film (default: one frame per second)",
    )
    add(
        "--region",
        action="append",
        default=[],
        type=_region,
        metavar="NAME=x,y;x,y;...",
        help="count inside this polygon too, in pixels of each upright photograph; "
        "pixels whose middle is inside (may be repeated)",
    )
    add(
        "--max-size",
        type=int,
        metavar="N",
        help="shrink longer photographs to N pixels first (regions stay in the pixels "
        "of the photograph as it is)",
    )
    add(
        "--tile-size",
        type=int,
        default=tiling.TILE,
        metavar="N",
        help="side of what is computed at once, %(default)s pixels; less needs less "
        "memory and more time, the result is the same",
    )
    return parser


def _region(text):
    try:
        return regions.parse_region(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _check(args):
    """Whatever can be wrong before the first photograph is opened."""
    if args.weights is None:
        args.weights = counter.default_weights(args.model or "cpcnn")
        if args.weights == counter.DEMO:
            print(
                f"count: with {args.weights}, a small network that has seen only "
                "generated crowds; `make vgg16` lets it take "
                f"{pretrained.DEFAULT}, trained on photographs",
                file=sys.stderr,
            )
    if args.model:
        held = serialization.load_name(pretrained.find_weights(args.weights))
        if held != args.model:
            raise ValueError(f"--model={args.model}, but {args.weights} holds {held}")
    if args.max_size is not None and args.max_size < PATCH:
        raise ValueError(f"--max-size: expected at least {PATCH}, got {args.max_size}")
    if args.frame_step is not None and args.frame_step < 1:
        raise ValueError(f"--frame-step: expected at least 1, got {args.frame_step}")
    names = [region.name for region in args.region]
    if len(set(names)) < len(names):
        raise ValueError("--region: each region needs a name of its own")
    for file in filter(None, (args.json, args.csv)):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    for folder in filter(None, (args.density, args.overlay, args.count_curve)):
        Path(folder).mkdir(parents=True, exist_ok=True)

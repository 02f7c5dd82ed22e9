"""Flags of `cpcnn_jax count`."""

import argparse
import math
import os
from collections.abc import Iterable
from pathlib import Path

from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.cli.size_flags import add_size_flags, check_max_size
from cpcnn_jax.inference import count_stream, count_tables, regions
from cpcnn_jax.io import atomic_write
from cpcnn_jax.io import video as video_io
from cpcnn_jax.weights import pretrained

PERIOD = 1.0  # seconds


def make_parser() -> Parser:
    """Makes the parser of the command's arguments."""
    parser = Parser(
        prog="cpcnn_jax count",
        description="Count the people in images (JPEG, PNG, WebP, BMP or TIFF, of any "
        "size from 64x64 pixels) and in the frames of videos. The count of a video is "
        "the mean over its time. A live stream or a camera is counted once a second, "
        "until Ctrl-C.",
    )
    add = parser.add_argument
    add(
        "paths",
        nargs="+",
        metavar="PATH",
        help="an image, a folder of images (with subfolders and linked folders, but no "
        "hidden files), a pattern in quotes, a "
        f"video ({', '.join(video_io.SUFFIXES)}), - for standard input, an rtsp:// or "
        "http:// URL of a stream or a video, or a camera as camera:0",
    )
    add(
        "--weights",
        metavar="WEIGHTS",
        default=pretrained.DEFAULT,
        help=f"{pretrained.HELP} (default: %(default)s)",
    )
    add(
        "--json",
        metavar="FILE",
        help="write file, count, error and more of each file; - is standard output",
    )
    add(
        "--csv",
        metavar="FILE",
        help="write the table; - is standard output; the counts of a live stream are "
        "appended one by one",
    )
    add(
        "--points",
        metavar="FILE",
        help="write the heads of images as a table of file, x and y in pixels, and "
        "draw them in overlays; dense crowds have fewer points than people",
    )
    add(
        "--density",
        metavar="DIR",
        help="write each image's density map: .npy, a 16-bit .png, and its scale as "
        ".json; none of videos",
    )
    add(
        "--overlay",
        metavar="DIR",
        help="write each image or video with its density map and count drawn over it",
    )
    add(
        "--count-curve",
        metavar="DIR",
        help="write each video's count over time: .csv, and a smoothed curve as .png",
    )
    add(
        "--frame-step",
        type=int,
        metavar="N",
        help="count every Nth frame of a video (default: the frame of each second)",
    )
    add(
        "--period",
        type=float,
        default=PERIOD,
        metavar="SECONDS",
        help="count a live stream or a camera once in this time (default: %(default)g)",
    )
    add(
        "--region",
        action="append",
        default=[],
        type=_region,
        metavar="NAME=x,y;x,y;...",
        help="also count inside this polygon, in pixels of each upright image, or in "
        "percent as left=0%%,0%%;50%%,0%%;50%%,100%%;0%%,100%%; a pixel counts if its "
        "center is inside (may be repeated)",
    )
    add_size_flags(parser)
    return parser


def _region(text):
    try:
        return regions.parse_region(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def check_args(args: argparse.Namespace) -> None:
    """Checks the flags and creates the folders of the results.

    Raises:
      ValueError: a flag has a wrong value; the text names it.
      OSError: a folder cannot be made.
    """
    check_max_size(args)
    if args.frame_step is not None and args.frame_step < 1:
        raise ValueError(f"--frame-step: expected at least 1, got {args.frame_step}")
    if not 0 < args.period < math.inf:
        raise ValueError(f"--period: expected more than 0 seconds, got {args.period}")
    names = [region.name for region in args.region]
    if len(set(names)) < len(names):
        name = max(names, key=names.count)
        raise ValueError(f"--region: two regions have the same name, {name!r}")
    if taken := {*names} & {*count_tables.COLUMNS, *count_stream.COLUMNS}:
        raise ValueError(
            f"--region: {min(taken)!r} is a column of the tables: rename it"
        )
    for name in ("json", "csv", "points"):
        if file := getattr(args, name):
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            _check_table(f"--{name}={file}", file)
    for name in ("density", "overlay", "count_curve"):
        if folder := getattr(args, name):
            _make_folder(f"--{name.replace('_', '-')}={folder}", Path(folder))


def describe_unused(args: argparse.Namespace, files: Iterable[str]) -> list[str]:
    """Lists a sentence for each flag that has no effect on these files.

    Args:
      args: of the command, without a live stream.
      files: those that are counted.
    """
    texts = []
    if args.period != PERIOD:
        texts.append("--period has no effect: it is for live streams")
    has_video = any(map(video_io.is_video, files))
    for name in ("frame_step", "count_curve"):
        if getattr(args, name) and not has_video:
            flag = f"--{name.replace('_', '-')}"
            texts.append(f"{flag} has no effect: no file is a video")
    return texts


def _make_folder(flag, folder):
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{flag} is a file: name a folder")
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"{flag} cannot be written to: choose another folder")


def _check_table(flag, file):
    if Path(file).is_dir():
        raise ValueError(f"{flag} is a folder: name a file in it")
    atomic_write.check_writable(file)

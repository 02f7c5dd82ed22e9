"""`cpcnn_jax check-density`: density maps of other projects against their heads.

Common recipes cut Gaussians at the border, merge heads of a pixel, or interpolate.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from cpcnn_jax.cli.parser import Parser, UsageError
from cpcnn_jax.data.checks import density_audit, density_report, external_maps
from cpcnn_jax.io import atomic_write

# Percent of the heads: half a person per image of ShanghaiTech A with its mean of 541
# heads, which is one percent of the lowest published MAE.
TOLERANCE = 0.1


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns its exit status; --help describes the arguments."""
    return make_parser().run(argv, _check)


def _check(args: argparse.Namespace) -> int:
    paths = _find_maps(args)
    results = []
    print(density_report.HEADER)
    for path, audit in density_audit.audit_maps(paths, args.points, args.images):
        print(density_report.format_line(path, audit, args.tolerance), flush=True)
        results.append((path, audit))
    print(f"\n{density_report.format_total(results, args.tolerance)}")
    if args.csv:
        density_report.write_table(args.csv, results, args.tolerance)
    return int(any(density_report.has_fault(a, args.tolerance) for _, a in results))


def _find_maps(args):
    try:
        paths = external_maps.find_maps(args.maps)
    except ValueError as error:
        raise UsageError(str(error)) from None
    for folder in filter(None, (args.points, args.images)):
        if not Path(folder).is_dir():
            raise UsageError(f"no folder {folder}")
    if args.csv:
        points = [Path(args.points or "", f"{path.stem}.csv") for path in paths]
        atomic_write.check_not_input(args.csv, paths + points * bool(args.points))
    return paths


def _parse_tolerance(text):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} must be a number of at least 0")
    return value


def make_parser() -> Parser:
    """Makes the parser of the command's arguments."""
    parser = Parser(
        prog="cpcnn_jax check-density",
        description="Compare density maps (.h5, .npy, .csv) with their head points: "
        "sum, drift, negative values, values that are not finite, size. Exit status: 0 "
        "if no map has a fault, 1 if one has, 2 if there are no maps.",
    )
    parser.add_argument("maps", nargs="+", help="files, or folders of files")
    parser.add_argument(
        "--points",
        help="folder of the head points: .mat of ShanghaiTech, UCF_CC_50, UCF-QNRF, "
        "NWPU-Crowd or WorldExpo'10, .npy [N, 2], or .csv x,y; by default the .mat "
        "beside each map",
    )
    parser.add_argument(
        "--images",
        help="folder of the images; by default the map's folder, or ../images",
    )
    parser.add_argument(
        "--tolerance",
        type=_parse_tolerance,
        default=TOLERANCE,
        metavar="PERCENT",
        help="allowed difference between a sum and its heads, percent of the heads "
        "(default %(default)s)",
    )
    parser.add_argument("--csv", metavar="FILE", help="write a table, one row per map")
    return parser

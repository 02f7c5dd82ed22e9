"""python -m cpcnn_jax check-density: do other projects' density maps hold their heads?

A density map is believed to sum to the number of heads, and often does not: recipes cut
Gaussians at the border, merge heads that share a pixel, or resize by interpolation.
"""

import argparse
import csv
import io
import math
import sys
from pathlib import Path

from cpcnn_jax.cli.parser import Parser
from cpcnn_jax.data.checks import external_maps
from cpcnn_jax.data.checks.density_audit import audit, percent
from cpcnn_jax.io import atomic_write

# Percent of the heads: half a person on a photograph of ShanghaiTech A, which shows 541
# people on average. That is a hundredth of the best published error.
TOLERANCE = 0.1
COLUMNS = (
    *("map", "height", "width", "scale", "sum", "heads", "outside", "drift", "percent"),
    *("negative", "not_finite", "faults"),
)
HEADER = (
    f"{'map':<20} {'size':>11} {'scale':>5} {'sum':>11} {'heads':>7} "
    f"{'drift':>9} {'percent':>8} {'negative':>9}"
)


def check(paths, points=None, images=None):
    """Audits every map.

    Args:
      paths: of the maps.
      points: folder, as for `external_maps.find_heads`.
      images: folder, as for `external_maps.find_image`.

    Yields:
      (path, `density_audit.Audit` or the error that names what cannot be used).
    """
    for path in paths:
        try:
            heads = external_maps.find_heads(path, points)
            yield path, audit(path, heads, external_maps.find_image(path, images))
        except (ValueError, OSError) as error:
            yield path, error


def row(path, found, tolerance):
    """The cells of COLUMNS for one map."""
    if isinstance(found, Exception):
        return [path, *[""] * (len(COLUMNS) - 2), found]
    return [
        *(path, *found.shape, found.scale or "", found.people, found.heads),
        *(found.outside, found.drift, found.percent, found.negative),
        *(found.not_finite, "; ".join(found.faults(tolerance))),
    ]


def line(path, found, tolerance):
    """One map as a line of text, below HEADER."""
    if isinstance(found, Exception):
        return str(found)
    size = "x".join(map(str, found.shape[::-1]))
    scale = f"1/{found.scale}" if found.scale else "-"
    text = (
        f"{path.name:<20} {size:>11} {scale:>5} {found.people:>11.2f} {found.heads:>7} "
        f"{found.drift:>+z9.2f} {found.percent:>+z8.2f} {found.negative:>z9.2f}  "
        f"{', '.join(found.faults(tolerance))}"
    )
    return text.rstrip()


def total(results, tolerance):
    """All maps together in one or two sentences."""
    read = [found for _, found in results if not isinstance(found, Exception)]
    people, heads = sum(one.people for one in read), sum(one.heads for one in read)
    drift = f"{people - heads:+z.2f} people ({percent(people - heads, heads):+z.2f} %)"
    bad = sum(bool(one.faults(tolerance)) for one in read)
    outside = sum(one.outside for one in read)
    text = f"{len(read)} maps sum to {people:.2f} for {heads} heads: {drift}. "
    text += f"{bad} drift by more than {tolerance:g} % or have other faults"
    if len(read) < len(results):
        text += f"; {len(results) - len(read)} more could not be checked"
    if outside:
        text += f"; {outside} heads outside their photographs are not counted"
    return text + "."


def _tolerance(text):
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} must be a number of at least 0")
    return value


def _parser():
    parser = Parser(
        prog="python -m cpcnn_jax check-density",
        description="Hold density maps (.h5, .npy, .csv) against their head points: "
        "sum, drift, negative and not finite values, size. Exit status 0 if all are "
        "right, 1 if one is not, 2 if there are none.",
    )
    parser.add_argument("maps", nargs="+", help="files, or folders of them")
    parser.add_argument(
        "--points",
        help="the folder of the points: .mat of ShanghaiTech, UCF_CC_50, UCF-QNRF, "
        "NWPU-Crowd or WorldExpo'10, .npy [N, 2], or .csv x,y; by default the .mat "
        "beside each map",
    )
    parser.add_argument(
        "--images",
        help="the folder of the photographs; by default beside, or ../images",
    )
    parser.add_argument(
        "--tolerance",
        type=_tolerance,
        default=TOLERANCE,
        metavar="PERCENT",
        help="of the heads, by which a sum may differ from them (default %(default)s)",
    )
    parser.add_argument("--csv", metavar="FILE", help="also write a row per map here")
    return parser


def main(argv):
    """The command; returns the exit status."""
    args = _parser().parse_args(argv)
    try:
        paths = external_maps.find_maps(args.maps)
        for folder in filter(None, (args.points, args.images)):
            if not Path(folder).is_dir():
                raise ValueError(f"no folder {folder}")
    except ValueError as error:
        print(f"check-density: {error}", file=sys.stderr)
        return 2
    results = []
    print(HEADER)
    for path, found in check(paths, args.points, args.images):
        print(line(path, found, args.tolerance), flush=True)
        results.append((path, found))
    print(f"\n{total(results, args.tolerance)}")
    if args.csv:
        try:
            _write(args.csv, results, args.tolerance)
        except OSError as error:
            print(f"check-density: {error}", file=sys.stderr)
            return 1
    return int(any(row(*pair, args.tolerance)[-1] for pair in results))


def _write(file, results, tolerance):
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(row(path, found, tolerance) for path, found in results)
    atomic_write.write_atomic(file, table.getvalue().encode())

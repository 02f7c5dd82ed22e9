"""`cpcnn_jax check-data`: the faults of a data set, and a copy without them."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from cpcnn_jax.cli.parser import Parser, UsageError
from cpcnn_jax.io import atomic_write, folder_listing


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns its exit status; --help describes the arguments."""
    return make_parser().run(argv, _check)


def make_parser() -> Parser:
    """Makes the parser of the command's arguments."""
    parser = Parser(
        prog="cpcnn_jax check-data",
        description="Read every image of a folder and its head points, and list the "
        "faults. The folder holds your own images or a data set as distributed. "
        "Exit status: 0 if nothing must be fixed, 1 otherwise, 2 if the command line "
        "is wrong.",
    )
    parser.add_argument("folder", help="folder of images and head points")
    parser.add_argument(
        "--write",
        metavar="COPY",
        help="write a copy without the faults: upright images; no head points that are "
        "outside, not finite or repeated; no unusable images",
    )
    parser.add_argument(
        "--points-on",
        choices=("stored", "upright"),
        help="the pixels of the head points where EXIF rotates an image and the "
        "annotation does not state them: as stored, or the upright image",
    )
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON")
    return parser


def _check(args: argparse.Namespace) -> int:
    from cpcnn_jax.data.checks import detect_dataset, faults, report

    source = Path(args.folder)
    _check_paths(source, args.write, args.json)
    dataset = detect_dataset.detect_dataset(source)
    if not any(dataset.splits.values()):
        unused = "".join(f"; {sentence}" for _, sentence in dataset.unused[:1])
        if dataset.left_out:
            unused += f"; left out: {folder_listing.describe(dataset.left_out)}"
        raise UsageError(f"{source} holds no images .jpg, .jpeg or .png{unused}")
    upright = {"stored": False, "upright": True}.get(args.points_on)
    splits = faults.examine_dataset(dataset, upright)
    all_faults = [
        f for images in splits.values() for image in images for f in image.faults
    ]
    all_faults += faults.folder_faults(dataset)
    result = report.build_report(
        dataset.name, splits, all_faults, dataset.labels, dataset.left_out
    )
    print(report.format_report(result))
    if args.json:
        atomic_write.write_json(args.json, result)
    if args.write:
        _write_copy(args.write, splits)
    return int(any(fault.kind in faults.ERRORS for fault in all_faults))


def _check_paths(source, copy, report):
    if not source.is_dir():
        raise UsageError(f"{source} is not a folder")
    if report and Path(report).resolve().is_relative_to(source.resolve()):
        raise UsageError(
            f"--json={report} lies in {source}, which the command never changes"
        )
    if copy is None:
        return
    if Path(copy).exists() and (not Path(copy).is_dir() or any(Path(copy).iterdir())):
        raise UsageError(f"--write={copy} exists and is not empty: name a new folder")
    if Path(copy).resolve().is_relative_to(source.resolve()):
        raise UsageError(
            f"--write={copy} lies in {source}, which the command never changes"
        )


def _write_copy(copy, splits):
    from cpcnn_jax.data.checks import write_clean

    if not any(image.usable for images in splits.values() for image in images):
        raise ValueError(
            f"--write={copy}: no photograph can be used, so no copy is written"
        )
    written = write_clean.write_clean_copy(copy, splits)
    for examined in (image for images in splits.values() for image in images):
        if not examined.usable:
            print(f"left out: {examined.sample.image}")
    for split, (number, heads) in written.items():
        print(f"written: {Path(copy) / split}, {number:,} photographs, {heads:,} heads")

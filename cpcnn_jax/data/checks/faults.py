"""Detection of faults in images and their head points."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.data import annotated_image as sample_lib
from cpcnn_jax.data import checksums, density_map, exif, readers
from cpcnn_jax.data.checks.detect_dataset import DetectedDataset
from cpcnn_jax.data.datasets import folder, folder_files

ERRORS = {  # {kind that must be fixed: its description in a summary}
    "unusable": "unreadable, missing, or in conflict with its checksum or annotation",
    "turned": "head points on the upright image of EXIF, not on the stored pixels",
    "not finite": "head points that are not finite numbers",
    "outside": "head points outside the image",
    "marked twice": "head points at exactly the same position",
    "small": f"a side under {PATCH} pixels",
    "in two splits": "the same image in two splits",
}
NOTES = {  # kinds that are used unchanged
    "exif": "EXIF orientation set; the head points are on the stored pixels",
    "grey": "grayscale",
    "empty": "no heads",
    "copy": "the same image twice in a split",
    "stray": "an annotation without its image",
    "unused": "an image or a folder that is not used",
    "no split": "a folder without train or test; training needs both",
}


class Fault(NamedTuple):
    """One fault of one file."""

    kind: str  # key of ERRORS or NOTES
    file: Path  # the image, or another file where there is no image
    text: str  # sentence that names the file to fix


class ExaminedImage(NamedTuple):
    """An image as far as it could be read, and its faults."""

    sample: sample_lib.AnnotatedImage
    header: readers.ImageHeader | None  # None if the image cannot be read
    points: np.ndarray | None  # `[N, 2]` (x, y), pixels; None if they cannot be read
    turned: bool  # whether the points are on the upright image of EXIF
    faults: list[Fault]

    @property
    def usable(self) -> bool:
        """Whether a copy without faults can be made."""
        unfixable = {"unusable", "small", "in two splits"}
        return not unfixable & {fault.kind for fault in self.faults}


def examine_dataset(
    dataset: DetectedDataset, upright: bool | None = None
) -> dict[str, list[ExaminedImage]]:
    """Reads all images of a data set and finds the faults of each.

    Args:
      dataset: the data set.
      upright: whether head points are on the upright image of EXIF where their
        annotation does not state it, or None.

    Returns:
      {split: images}.
    """
    checks = {place: checksums.make_checker(place) for place in dataset.places.values()}
    splits = {
        split: [
            examine_image(
                s._replace(upright=upright) if s.upright is None else s,
                checks[dataset.places[split]],
            )
            for s in samples
        ]
        for split, samples in dataset.splits.items()
    }
    paths = {split: [s.image for s in dataset.splits[split]] for split in splits}
    duplicates = {fault.file: fault for fault in duplicate_faults(paths)}
    for examined in (image for images in splits.values() for image in images):
        if fault := duplicates.get(examined.sample.image):
            examined.faults.append(fault)
    return splits


def folder_faults(dataset: DetectedDataset) -> list[Fault]:
    """Lists unused images, annotations without image, missing files and splits."""
    unused = [Fault("unused", path, sentence) for path, sentence in dataset.unused]
    strays = [
        Fault("stray", file, f"{file} marks heads on {name}, which is no image there")
        for file, name in dataset.strays
    ]
    missing = [
        Fault("unusable", path, f"{path} is missing, and {checksums.SUMS} names it")
        for place in dict.fromkeys(dataset.places.values())
        for path in checksums.read_checksums(place)
        if not path.exists()
    ]
    return missing + strays + unused + _split_faults(dataset)


def _split_faults(dataset):
    """A note on a user's own folder that lacks train or test."""
    lacking = [split for split in folder_files.SPLITS if split not in dataset.splits]
    if dataset.name != folder.ORIGIN.name or not lacking:
        return []
    root = next(iter(dataset.places.values()))
    names = f"folder{'s' * (len(lacking) > 1)} {' and '.join(lacking)}"
    return [Fault("no split", root, f"{root} has no {names}: training needs both")]


def examine_image(
    sample: sample_lib.AnnotatedImage, check: Callable[[Path], Path]
) -> ExaminedImage:
    """Reads an image and its head points after `check`, and finds their faults."""
    image, annotation, read = sample[:3]
    faults: list[Fault] = []

    def attempt(step, *args):
        try:
            return step(*args)
        except ValueError as error:
            faults.append(Fault("unusable", image, str(error)))

    attempt(sample_lib.check_files, sample, check)
    if faults or read is None:
        return ExaminedImage(sample, None, None, False, faults)
    header = attempt(readers.check_image, image)
    points = attempt(lambda: readers.as_points(read(annotation), annotation))
    turned = None
    if header and points is not None:
        turned = attempt(sample_lib.is_turned, sample, points, header)
    if header:
        faults += _pixel_faults(image, header)
    if turned is not None:
        faults += _point_faults(image, header, points, turned)
    return ExaminedImage(sample, header, points, bool(turned), faults)


def points_shape(header: readers.ImageHeader, turned: bool) -> tuple[int, int]:
    """Returns (height, width) of the pixels that the head points are on."""
    orientation = header.orientation if turned else 1
    return exif.upright_shape(header.shape, orientation)


def _pixel_faults(image, header):
    height, width = header.shape
    if min(header.shape) < PATCH:
        text = f"{image} has {width}x{height} pixels, under {PATCH}x{PATCH}"
        yield Fault("small", image, text)
    if header.mode in ("1", "L", "LA"):
        yield Fault("grey", image, f"{image} is grayscale")


def _point_faults(image, header, points, turned):
    if turned:
        text = f"{image}: {sample_lib.TURNED % header.orientation}"
        yield Fault("turned", image, text)
    elif header.orientation != 1:
        text = f"{image} has EXIF orientation {header.orientation}; its head points "
        yield Fault("exif", image, text + "are taken to be on the stored pixels")
    finite = points[np.isfinite(points).all(axis=1)]
    height, width = shape = points_shape(header, turned)
    outside = (~density_map.points_inside(finite, shape)).sum()
    repeated = len(finite) - len(np.unique(finite, axis=0))
    swapped = all(density_map.points_inside(finite[:, ::-1], shape))
    hint = ", and all inside as (y, x)" if swapped else ""
    for kind, number, text in (
        ("not finite", len(points) - len(finite), "are not finite numbers"),
        ("outside", outside, f"lie outside its {width}x{height} pixels{hint}"),
        ("marked twice", repeated, "lie exactly on another"),
    ):
        if number:
            text = f"{image}: {number} of {len(points)} heads {text}"
            yield Fault(kind, image, text)
    if not len(points):
        yield Fault("empty", image, f"{image} has no heads")


def duplicate_faults(splits: Mapping[str, Sequence[Path]]) -> list[Fault]:
    """Finds identical files among the images of all splits.

    Returns:
      A fault "in two splits" for each duplicate outside the last split that holds the
      image, and "copy" for each but the last duplicate within that split.
    """
    place = {path: n for n, paths in enumerate(splits.values()) for path in paths}
    faults = []
    for group in checksums.find_duplicates(place):
        *earlier, last = sorted(group, key=lambda path: (place[path], path))
        for path in earlier:
            kind = "copy" if place[path] == place[last] else "in two splits"
            faults.append(Fault(kind, path, f"{path} is the same file as {last}"))
    return faults

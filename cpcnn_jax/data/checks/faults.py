"""What is wrong with photographs and their heads, each fault found and named."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.data import checksums, density_map, readers, sample


class Fault(NamedTuple):
    """One fault."""

    kind: str  # one of MUST or of NOTES
    file: Path  # the photograph, or another file where there is none
    text: str  # a sentence that names the file to be mended


MUST = {  # to be mended, and how a summary calls them
    "unusable": "unreadable, missing, or not what its checksum or annotation says",
    "turned": "heads marked on the photograph as EXIF turns it",
    "not finite": "heads that are no numbers",
    "outside": "heads outside the photograph",
    "marked twice": "heads on exactly the same point",
    "small": f"a side under {PATCH} pixels",
    "in two splits": "the same photograph in two splits",
}
NOTES = {  # used as they are
    "exif": "EXIF asks to turn it; heads are on the pixels as stored",
    "grey": "greyscale",
    "empty": "no heads",
    "copy": "the same photograph twice in a split",
    "stray": "an annotation without its photograph",
}


class ExaminedImage(NamedTuple):
    """A photograph, as much of it as could be read, and what is wrong."""

    photograph: sample.Sample
    seen: readers.ImageHeader | None
    points: np.ndarray | None  # `[N, 2]`, all that the annotation says
    turned: bool  # whether they are marked on the photograph as EXIF turns it
    faults: list

    @property
    def usable(self):
        """Whether a copy of it can be made that has no fault."""
        beyond_mending = {"unusable", "small", "in two splits"}
        return not beyond_mending & {fault.kind for fault in self.faults}


def examine_dataset(found):
    """Reads all photographs of a folder, and says what is wrong with each.

    Args:
      found: `detect_dataset.DetectedDataset`.

    Returns:
      {split: list of `ExaminedImage`}.
    """
    checks = {place: checksums.make_checker(place) for place in found.places.values()}
    examined = {
        split: [examine_image(p, checks[found.places[split]]) for p in photographs]
        for split, photographs in found.splits.items()
    }
    paths = {s: [p.image for p in found.splits[s]] for s in found.splits}
    twins = {fault.file: fault for fault in duplicate_faults(paths)}
    for one in (one for split in examined.values() for one in split):
        if fault := twins.get(one.photograph.image):
            one.faults.append(fault)
    return examined


def folder_faults(found):
    """The faults that belong to no photograph.

    Args:
      found: `detect_dataset.DetectedDataset`.

    Returns:
      A list of `Fault`s: annotations of photographs that are not there, and files that
      are not there although SHA256SUMS names them.
    """
    strays = [
        Fault("stray", file, f"{file} marks heads on {name}, which is not there")
        for file, name in found.strays
    ]
    missing = [
        Fault("unusable", path, f"{path} is missing, and {checksums.SUMS} names it")
        for place in dict.fromkeys(found.places.values())
        for path in checksums.read_checksums(place)
        if not path.exists()
    ]
    return missing + strays


def examine_image(photograph, check):
    """Reads a photograph and its heads, and says what is wrong.

    Args:
      photograph: `sample.Sample`.
      check: of `checksums.make_checker`.

    Returns:
      `ExaminedImage`.
    """
    image, annotation, read, _ = photograph
    faults = []

    def attempt(step, *args):
        try:
            return step(*args)
        except ValueError as error:
            faults.append(Fault("unusable", image, str(error)))

    def heads():
        return readers.as_points(read(annotation), annotation)

    attempt(sample.check_files, photograph, check)
    if faults:
        return ExaminedImage(photograph, None, None, False, faults)
    seen, points, turned = attempt(readers.check_image, image), attempt(heads), None
    if seen and points is not None:
        turned = attempt(sample.is_turned, photograph, points, seen)
    found = ExaminedImage(photograph, seen, points, bool(turned), faults)
    faults += _of_pixels(found) if seen else []
    faults += _of_points(found) if turned is not None else []
    return found


def marked_shape(examined):
    """(height, width) of the pixels that the heads are marked on."""
    shape = examined.seen.shape
    return shape[::-1] if examined.turned else shape


def _of_pixels(examined):
    """The faults of a photograph that was decoded."""
    image, seen = examined.photograph.image, examined.seen
    size = f"{seen.shape[1]}x{seen.shape[0]}"
    if min(seen.shape) < PATCH:
        text = f"{image} has {size} pixels, under {PATCH}x{PATCH}"
        yield Fault("small", image, text)
    if seen.mode in ("1", "L", "LA"):
        yield Fault("grey", image, f"{image} is greyscale")


def _of_points(examined):
    """The faults of heads that were read, of a photograph that was decoded."""
    image, seen, points = examined.photograph.image, examined.seen, examined.points
    if examined.turned:
        yield Fault("turned", image, f"{image}: {sample.TURNED % seen.orientation}")
    elif seen.orientation != 1:
        yield Fault(
            "exif",
            image,
            f"{image} is turned by EXIF orientation {seen.orientation}; its heads are "
            "taken to be marked on the pixels as stored",
        )
    finite = points[np.isfinite(points).all(axis=1)]
    height, width = shape = marked_shape(examined)
    outside = (~density_map.points_inside(finite, shape)).sum()
    counts = {
        "not finite": (len(points) - len(finite), "are not finite numbers"),
        "outside": (outside, f"lie outside its {width}x{height} pixels"),
        "marked twice": (
            len(finite) - len(np.unique(finite, axis=0)),
            "lie exactly on another",
        ),
    }
    for kind, (number, words) in counts.items():
        if number:
            text = f"{image}: {number} of {len(points)} heads {words}"
            yield Fault(kind, image, text)
    if not len(points):
        yield Fault("empty", image, f"{image} has no heads")


def duplicate_faults(splits):
    """The faults of photographs that are the same, byte for byte.

    Args:
      splits: {split: paths of photographs}.

    Returns:
      A list of `Fault`s: "in two splits" of each but those of the last such split, and
      "copy" of each but the last of one split.
    """
    place = {path: n for n, paths in enumerate(splits.values()) for path in paths}
    faults = []
    for group in checksums.find_duplicates(place):
        *earlier, last = sorted(group, key=lambda path: (place[path], path))
        for path in earlier:
            other = place[path] != place[last]
            kind = "in two splits" if other else "copy"
            faults.append(Fault(kind, path, f"{path} is the same file as {last}"))
    return faults

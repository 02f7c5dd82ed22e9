"""A photograph and the file that says where its heads are, before either is read."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cpcnn_jax.data import exif

TURNED = (
    "the heads are marked on the photograph as its EXIF orientation %d turns it, not "
    "on the pixels as stored; `python -m cpcnn_jax check-data FOLDER --write COPY` "
    "writes both upright"
)


class Sample(NamedTuple):
    """One photograph and where its heads are written."""

    image: Path
    annotation: Path | str  # as messages name it
    read: Callable | None  # of the annotation: `[N, 2]` float32 (x, y), pixels
    size: tuple | None = None  # (width, height) that the annotation says it is of


def make_samples(images, annotation, read):
    """A `Sample` for each image; `check_files` sees if all are there.

    Args:
      images: paths.
      annotation: the function from an image's path to its annotation's.
      read: the function from an annotation's path to `[N, 2]` float32.
    """
    return [Sample(image, annotation(image), read) for image in images]


def check_files(photograph, check):
    """Refuses a photograph without its files, or with others than they should be.

    Args:
      photograph: `Sample`.
      check: of `checksums.make_checker`.

    Raises:
      ValueError: a file is missing, leads out of the folder, or has another checksum.
    """
    image, annotation, read, _ = photograph
    written = isinstance(annotation, Path)
    for path in (image, annotation) if written else (image,):
        check(path)
    if not image.is_file():
        raise ValueError(f"{image} is missing.")
    if read is None or (written and not annotation.is_file()):
        raise ValueError(f"{image} has no annotation: {annotation} is missing.")


def is_turned(photograph, points, seen):
    """`exif.is_turned` of a photograph's heads; its ValueError names the file."""
    try:
        return exif.is_turned(points, photograph.size, seen)
    except ValueError as error:
        raise ValueError(f"{photograph.image}: {error}.") from None

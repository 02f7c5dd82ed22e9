"""An image file paired with its annotation, before either is read."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cpcnn_jax.data import exif, readers

Reader = Callable[[Any], np.ndarray]  # annotation to `[N, 2]` float32 (x, y), pixels
TURNED = (
    "the head points are on the upright image of EXIF orientation %d, not on the "
    "stored pixels; `cpcnn_jax check-data FOLDER --write COPY` writes both "
    "upright"
)


class AnnotatedImage(NamedTuple):
    """One image file and its annotation."""

    image: Path
    annotation: Path | str  # a str describes it in error messages
    read: Reader | None  # reader of `annotation`; None without an annotation
    size: tuple[int, int] | None = None  # (width, height) that the annotation states
    upright: bool | None = False  # as in `annotations.heads.Heads`
    name: str = ""  # in the data set; by default the file's, without suffix

    @property
    def stored_name(self) -> str:
        """The name in the data set as UTF-8, with other bytes as %E9."""
        name = self.name or self.image.stem
        return re.sub("[\udc80-\udcff]", lambda b: f"%{ord(b[0]) & 0xFF:X}", name)


def pair_annotations(
    images: Iterable[Path], annotation: Callable[[Path], Path], read: Reader
) -> list[AnnotatedImage]:
    """Pairs each image with its annotation file, without a check that both exist."""
    return [AnnotatedImage(image, annotation(image), read) for image in images]


def check_files(sample: AnnotatedImage, check: Callable[[Path], Path]) -> None:
    """Checks that the files of a sample exist and pass `checksums.make_checker`.

    Raises:
      ValueError: a file is missing, leads out of the folder, or has another checksum.
    """
    image, annotation, read = sample[:3]
    check(image)
    if isinstance(annotation, Path):
        check(annotation)
    if image.is_dir():
        raise ValueError(f"{image} is a folder that cannot be read.")
    if not image.is_file():
        raise ValueError(f"{image} is missing.")
    if read is None or (isinstance(annotation, Path) and not annotation.is_file()):
        raise ValueError(f"{image} has no annotation: {annotation} is missing.")


def is_turned(
    sample: AnnotatedImage, points: np.ndarray, header: readers.ImageHeader
) -> bool:
    """Applies `exif.is_turned` to a sample; its ValueError names the image."""
    try:
        return exif.is_turned(points, sample.size, header, sample.upright)
    except ValueError as error:
        raise ValueError(f"{sample.image}: {error}.") from None

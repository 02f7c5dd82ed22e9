"""Head points of one image, the common result of all annotation readers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

SUPPORTED = (
    "supported are CSV whose first line names the columns x, y (and image), JSON of "
    "LabelMe, COCO, VIA 2 or Label Studio, XML of 'CVAT for images', and PNG dot maps"
)
IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff"),
    *(".gif", ".heic", ".heif", ".avif", ".jp2", ".ppm", ".pgm"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw"),
)


class Heads(NamedTuple):
    """Head points of one image."""

    points: np.ndarray  # `[N, 2]` float32 (x, y), pixels
    size: tuple[int, int] | None = None  # (width, height) if the file states it, pixels
    # Whether the points are on the upright image of EXIF (True) or on the stored pixels
    # (False), where the sizes do not decide it; None if the file cannot say.
    upright: bool | None = None
    labels: tuple[str, ...] = ()  # of the heads that have one


# By the path of the image as the file states it. "./IMG_1" is an image in the folder of
# the file, with any suffix; "IMG_1.jpg" may be in any folder.
HeadsByImage = dict[str, Heads]


def make_heads(
    points: Sequence,
    size: tuple | None = None,
    upright: bool | None = None,
    labels: Sequence[Any] = (),
) -> Heads:
    """Converts a list of (x, y), which may be text, and a size, which may hold None.

    Raises:
      ValueError: a coordinate is not a number.

    Example:
      >>> make_heads([(1, 2), (3.5, "4")]).points.shape, make_heads([]).points.shape
      ((2, 2), (0, 2))
    """
    with np.errstate(over="ignore"):  # a value beyond float32 becomes infinite
        pairs = np.array(points, np.float64).reshape(len(points), 2).astype(np.float32)
    whole = (int(float(size[0])), int(float(size[1]))) if size and all(size) else None
    names = tuple(str(label) for label in labels if label not in (None, ""))
    return Heads(pairs, whole, upright, names)


def index_unique(entries: Sequence[Mapping], key: str, kind: str) -> dict[str, Any]:
    """Maps the ids of entries to the entries; 7, 7.0 and "7" are one id.

    Args:
      entries: dicts of parsed JSON.
      key: of an entry's id.
      kind: of an entry, for the error message.

    Raises:
      ValueError: two entries have one id, or an entry has none.
    """
    unique: dict[str, Any] = {}
    for entry in entries:
        if (name := normalize_id(entry[key])) in unique:
            raise ValueError(f"two of its {kind} have the {key} {name}")
        unique[name] = entry
    return unique


def normalize_id(value: Any) -> str:
    """Converts an id, a number or text, to text.

    Raises:
      ValueError: neither a number nor text.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"the id {value!r} is neither a number nor text")
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value)

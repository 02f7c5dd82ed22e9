"""Head points of one image, the common result of all annotation readers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SUPPORTED = (
    "supported are CSV whose first line names the columns x, y (and image), JSON of "
    "LabelMe, COCO or VIA 2, XML of 'CVAT for images', and PNG dot maps"
)


class Heads(NamedTuple):
    """Head points of one image."""

    points: np.ndarray  # `[N, 2]` float32 (x, y), pixels
    size: tuple[int, int] | None = None  # (width, height) if the file states it, pixels


HeadsByImage = dict[str, Heads]  # by the name of the image


def make_heads(points: Sequence, size: tuple | None = None) -> Heads:
    """Converts a list of (x, y), which may be text, and a size, which may hold None.

    Raises:
      ValueError: a coordinate is not a number.

    Example:
      >>> make_heads([(1, 2), (3.5, "4")]).points.shape, make_heads([]).points.shape
      ((2, 2), (0, 2))
    """
    with np.errstate(over="ignore"):  # a value beyond float32 becomes infinite
        pairs = np.array(points, np.float64).reshape(len(points), 2).astype(np.float32)
    return Heads(pairs, size if size and all(size) else None)

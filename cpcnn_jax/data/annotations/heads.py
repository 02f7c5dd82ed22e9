"""What every format of annotations is read to."""

from typing import NamedTuple

import numpy as np

UNDERSTOOD = (
    "understood are CSV whose first line names the columns x, y (and image), JSON of "
    "LabelMe, COCO or VIA 2, XML of 'CVAT for images', PNG of dots"
)


class Heads(NamedTuple):
    """The heads of one photograph."""

    points: np.ndarray  # `[N, 2]` float32 (x, y), pixels
    size: tuple | None = None  # (width, height) of the photograph, if the file says it


def make_heads(points, size=None):
    """`Heads` from a list of (x, y); coordinates that are no numbers are refused.

    Example:
      >>> heads([(1, 2), (3.5, 4)]).points.shape, make_heads([]).points.shape
      ((2, 2), (0, 2))
    """
    with np.errstate(over="ignore"):  # too large is infinite, and that is not finite
        pairs = np.array(points, np.float64).reshape(len(points), 2).astype(np.float32)
    return Heads(pairs, size)


def box_center(corners):
    """(x, y) of the middle between the outermost of some corners."""
    x, y = np.array(corners, np.float64).T
    return (x.min() + x.max()) / 2, (y.min() + y.max()) / 2

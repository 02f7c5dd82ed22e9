"""Counts inside polygons that a user draws on a photograph."""

import re
from typing import NamedTuple

import numpy as np

# Possessive, so that a long text which is no region is refused in linear time.
_NUMBER = r"\s*+-?(?:\d++\.?\d*+|\.\d++)\s*+"
_TEXT = re.compile(rf"([^=]+)=({_NUMBER},{_NUMBER}(?:;{_NUMBER},{_NUMBER})*);?\s*")


class Region(NamedTuple):
    """A polygon in a photograph."""

    name: str
    corners: np.ndarray  # [N, 2] (x, y) pixels from the photograph's top left corner


def parse_region(text) -> Region:
    """Read a region from the command line.

    Args:
      text: "name=x,y;x,y;x,y", three corners or more.

    Returns:
      The `Region`.

    Raises:
      ValueError: it is nothing of the kind.

    Example:
      >>> parse_region("door=0,0;40,0;40,30.5").corners.shape
      (3, 2)
    """
    found = _TEXT.fullmatch(text)
    corners = [c.split(",") for c in found[2].split(";")] if found else []
    if len(corners) < 3:
        raise ValueError(
            f"{text!r} is no region: expected name=x,y;x,y;x,y with three corners or "
            "more, in pixels"
        )
    return Region(found[1].strip(), np.array(corners, float))


def count_region(density, region, *, size=None):
    """The people inside a region.

    A pixel belongs to it, whole, if its middle lies inside, by the even-odd rule; of
    two regions with a common edge each pixel is in one.

    Args:
      density: `[H, W]` people per pixel.
      region: in the photograph's pixels.
      size: (H, W) of the photograph, where the density's size is another.

    Returns:
      People.

    Raises:
      ValueError: a corner lies outside of the photograph.

    Example:
      >>> count_region(np.ones((4, 4)), parse_region("half=0,0;2,0;2,4;0,4"))
      8.0
    """
    height, width = size or density.shape
    corners = region.corners
    outside = ((corners < 0) | (corners > (width, height))).any(axis=1)
    if outside.any():
        x, y = corners[outside][0]
        raise ValueError(
            f"the corner {x:g},{y:g} of region {region.name} lies outside of its "
            f"{width}x{height} pixels"
        )
    scaled = corners * (density.shape[1] / width, density.shape[0] / height)
    people = 0.0
    for row, values in enumerate(density):
        for start, stop in _inside(scaled, row + 0.5):
            people += float(values[start:stop].sum(dtype=np.float64))
    return people


def _inside(corners, y):
    """`[n, 2]`: (start, stop) of the pixels that a polygon holds along one line."""
    (x0, y0), (x1, y1) = corners.T, np.roll(corners, -1, axis=0).T
    crosses = (y0 <= y) != (y1 <= y)
    x0, y0, x1, y1 = (v[crosses] for v in (x0, y0, x1, y1))
    crossings = np.sort(x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    return np.ceil(crossings - 0.5).astype(int).reshape(-1, 2)

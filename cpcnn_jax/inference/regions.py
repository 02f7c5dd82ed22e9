"""Counts inside polygons of an image."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from cpcnn_jax.io.image import LoadedImage

# Possessive, so that a long text without a region is rejected in linear time.
_NUMBER = r"\s*+-?(?:\d++\.?\d*+|\.\d++)\s*+"
_TEXT = re.compile(rf"([^=]+)=({_NUMBER},{_NUMBER}(?:;{_NUMBER},{_NUMBER})*);?\s*")
Outline = tuple[str, np.ndarray]  # label; corners [N, 2] as (x, y) pixels


class Region(NamedTuple):
    """A polygon in an image."""

    name: str
    corners: np.ndarray  # [N, 2] (x, y) pixels from the image's top left corner


def parse_region(text: str) -> Region:
    """Parses a region of the command line.

    Args:
      text: "name=x,y;x,y;x,y" in pixels, with three or more corners.

    Raises:
      ValueError: the text has another form.

    Example:
      >>> parse_region("door=0,0;40,0;40,30.5").corners.shape
      (3, 2)
    """
    match = _TEXT.fullmatch(text)
    corners = [corner.split(",") for corner in match[2].split(";")] if match else []
    if not match or len(corners) < 3:
        raise ValueError(
            f"{text!r} is not a region: expected name=x,y;x,y;x,y with three corners "
            "or more, in pixels"
        )
    return Region(match[1].strip(), np.array(corners, float))


def count_region(
    density: np.ndarray, region: Region, *, size: Sequence[int] | None = None
) -> float:
    """Counts the people inside a region.

    A pixel counts fully if its center lies inside by the even-odd rule. A pixel on the
    common edge of two regions belongs to one of them.

    Args:
      density: `[H, W]` people per pixel.
      region: a polygon in pixels of the image.
      size: (H, W) of the image in pixels; None: the size of the density.

    Raises:
      ValueError: a corner lies outside the image.

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
            f"the corner {x:g},{y:g} of region {region.name} lies outside the "
            f"{width}x{height} pixels of the image"
        )
    scaled = corners * (density.shape[1] / width, density.shape[0] / height)
    people = 0.0
    for row, values in enumerate(density):
        for start, stop in _spans_inside(scaled, row + 0.5):
            people += float(values[start:stop].sum(dtype=np.float64))
    return people


def _spans_inside(corners, y):
    """`[n, 2]`: (start, stop) of the pixels inside a polygon along one line."""
    (x0, y0), (x1, y1) = corners.T, np.roll(corners, -1, axis=0).T
    crosses = (y0 <= y) != (y1 <= y)
    x0, y0, x1, y1 = (v[crosses] for v in (x0, y0, x1, y1))
    crossings = np.sort(x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    return np.ceil(crossings - 0.5).astype(int).reshape(-1, 2)


def count_regions(
    density: np.ndarray, regions: Iterable[Region], *, size: Sequence[int]
) -> dict[str, float]:
    """Counts the people inside each region, by its name; see `count_region`."""
    return {r.name: count_region(density, r, size=size) for r in regions}


def outline_regions(
    regions: Iterable[Region], people: Mapping[str, float], image: LoadedImage
) -> list[Outline]:
    """Labels regions with their counts, with corners in pixels of the resized image."""
    scale = image.pixels.shape[1] / image.size[1]
    return [(f"{r.name}: {people[r.name]:.1f}", r.corners * scale) for r in regions]

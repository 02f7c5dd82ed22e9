"""Counts inside polygons of an image."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from cpcnn_jax.inference.people import format_people
from cpcnn_jax.io.image import LoadedImage

# Possessive, so that a long text without a region is rejected in linear time.
_NUMBER = r"\s*+-?(?:\d++\.?\d*+|\.\d++)%?+\s*+"
_TEXT = re.compile(rf"([^=]+)=({_NUMBER},{_NUMBER}(?:;{_NUMBER},{_NUMBER})*);?\s*")
Outline = tuple[str, np.ndarray]  # label; corners [N, 2] as (x, y) pixels


class Region(NamedTuple):
    """A polygon in an image."""

    name: str
    corners: np.ndarray  # [N, 2] (x, y) from the top left corner, pixels or percent
    percent: bool = False  # of the image's width and height

    def in_pixels(self, size: Sequence[int]) -> np.ndarray:
        """Returns the corners `[N, 2]` in pixels of an image of size (H, W).

        Raises:
          ValueError: a corner lies outside the image.
        """
        height, width = size
        limits = (100, 100) if self.percent else (width, height)
        outside = ((self.corners < 0) | (self.corners > limits)).any(axis=1)
        if outside.any():
            sign, (x, y) = "%" * self.percent, self.corners[outside][0]
            raise ValueError(
                f"the corner {x:g}{sign},{y:g}{sign} of region {self.name} lies "
                f"outside the {width}x{height} pixels of the image"
            )
        scale = (width / 100, height / 100) if self.percent else (1, 1)
        return self.corners * scale

    def fits(self, size: Sequence[int]) -> bool:
        """Tests whether all corners lie in an image of size (H, W)."""
        try:
            self.in_pixels(size)
        except ValueError:
            return False
        return True


def parse_region(text: str) -> Region:
    """Parses a region of the command line.

    Args:
      text: "name=x,y;x,y;x,y" in pixels, or "name=x%,y%;..." in percent of the width
        and height, with three or more corners.

    Raises:
      ValueError: the text has another form, or a percentage is not from 0 to 100.

    Example:
      >>> parse_region("door=0,0;40,0;40,30.5").corners.shape
      (3, 2)
      >>> parse_region("top=0%,0%;100%,0%;100%,50%").in_pixels((600, 800))[1:].tolist()
      [[800.0, 0.0], [800.0, 300.0]]
    """
    match = _TEXT.fullmatch(text)
    corners = [corner.split(",") for corner in match[2].split(";")] if match else []
    if not match or len(corners) < 3:
        raise ValueError(
            f"{text!r} is not a region: expected name=x,y;x,y;x,y with three corners "
            "or more, in pixels, or in percent as x%,y%"
        )
    signs = {"%" in number for corner in corners for number in corner}
    if len(signs) > 1:
        raise ValueError(f"{text!r} has pixels and percent: use one of them")
    numbers = [[number.strip().rstrip("%") for number in row] for row in corners]
    region = Region(match[1].strip(), np.array(numbers, float), signs == {True})
    if region.percent and ((region.corners < 0) | (region.corners > 100)).any():
        raise ValueError(f"{text!r} has a corner that is not from 0% to 100%")
    return region


def count_region(
    density: np.ndarray, region: Region, *, size: Sequence[int] | None = None
) -> float:
    """Counts the people inside a region.

    A pixel counts fully if its center lies inside by the even-odd rule. A pixel on the
    common edge of two regions belongs to one of them.

    Args:
      density: `[H, W]` people per pixel.
      region: a polygon in the image.
      size: (H, W) of the image in pixels; None: the size of the density.

    Raises:
      ValueError: a corner lies outside the image.

    Example:
      >>> count_region(np.ones((4, 4)), parse_region("half=0,0;2,0;2,4;0,4"))
      8.0
    """
    height, width = size or density.shape
    corners = region.in_pixels((height, width))
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


def count_fitting(
    density: np.ndarray, regions: Iterable[Region], *, size: Sequence[int]
) -> tuple[dict[str, float | None], list[str]]:
    """Counts the people inside each region that lies in the image.

    Returns:
      People by name, with None for a region that does not fit; and a sentence for each
      of those.
    """
    people: dict[str, float | None] = {}
    misfits = []
    for region in regions:
        try:
            people[region.name] = count_region(density, region, size=size)
        except ValueError as error:
            people[region.name] = None
            misfits.append(str(error))
    return people, misfits


def outline_regions(
    regions: Iterable[Region], people: Mapping[str, float | None], image: LoadedImage
) -> list[Outline]:
    """Labels the counted regions, with corners in pixels of the resized image."""
    scale = image.pixels.shape[1] / image.size[1]
    return [
        (f"{r.name}: {format_people(number)}", r.in_pixels(image.size) * scale)
        for r in regions
        if (number := people[r.name]) is not None
    ]

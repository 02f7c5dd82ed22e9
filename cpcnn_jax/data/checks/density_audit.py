"""Comparison of density maps of other projects with their head points."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cpcnn_jax.data import density_map
from cpcnn_jax.data.checks import external_maps

SCALES = (1, 2, 4, 8)  # image side over map side, in all common projects


class Audit(NamedTuple):
    """Measurements of one density map and of its head points."""

    path: Path
    shape: tuple[int, int]  # (h, w) of the map, cells
    image_shape: tuple[int, int] | None  # (H, W), pixels; None without an image
    people: float  # sum of the finite cells
    negative: float  # sum of the cells below zero, people
    not_finite: int  # number of cells
    heads: int  # number inside the image
    outside: int  # number outside the image

    @property
    def drift(self) -> float:
        """Sum of the map minus the number of heads, people."""
        return self.people - self.heads

    @property
    def drift_percent(self) -> float:
        """Drift in percent of the heads, of one head if there is none."""
        return percent_of_heads(self.drift, self.heads)

    @property
    def scale(self) -> int | None:
        """Image side over map side, rounded either way; None if not in SCALES."""
        if self.image_shape is None:
            return None
        pairs = list(zip(self.image_shape, self.shape, strict=True))
        fits = (
            scale
            for scale in SCALES
            if all(side // scale <= cells <= -(-side // scale) for side, cells in pairs)
        )
        return next(fits, None)

    def faults(self, tolerance: float) -> list[str]:
        """Lists the faults; `tolerance` is in percent of the heads."""
        faults = []
        if self.not_finite:
            faults.append(f"{self.not_finite} cells not finite")
        if abs(self.drift_percent) > tolerance:
            faults.append("drifts")
        if percent_of_heads(-self.negative, self.heads) > tolerance:
            faults.append("negative")
        if self.image_shape and self.scale is None:
            height, width = self.image_shape
            faults.append(f"no 1/1, 1/2, 1/4 or 1/8 of {width}x{height}")
        return faults


def percent_of_heads(people: float, heads: int) -> float:
    """Converts people to percent of the heads, of one head if there is none."""
    return 100 * people / max(heads, 1)


def audit_map(path: Path, heads: Path, image: Path | None = None) -> Audit:
    """Reads a density map and its head points and measures both.

    Args:
      path: the map's file.
      heads: file of the head points.
      image: the image's file. Without it, no size is checked and only heads left of or
        above the image count as outside.

    Raises:
      ValueError: one of the files cannot be used.
    """
    people, points = external_maps.read_map(path), external_maps.read_heads(heads)
    shape = external_maps.image_shape(image) if image else None
    try:
        inside = density_map.points_inside(points, shape or (np.inf, np.inf))
    except ValueError as error:
        raise ValueError(f"{heads}: {error}") from None
    finite = people[np.isfinite(people)]
    return Audit(
        path=path,
        shape=people.shape,
        image_shape=shape,
        people=float(finite.sum()),
        negative=float(finite[finite < 0].sum()),
        not_finite=people.size - finite.size,
        heads=int(inside.sum()),
        outside=int((~inside).sum()),
    )


def audit_maps(
    paths: Iterable[Path], points: str | None = None, images: str | None = None
) -> Iterator[tuple[Path, Audit | Exception]]:
    """Audits each density map with the heads and images of two folders.

    Yields:
      (path, its `Audit` or the error that names the file that cannot be used).
    """
    for path in paths:
        try:
            heads = external_maps.find_heads(path, points)
            yield path, audit_map(path, heads, external_maps.find_image(path, images))
        except (ValueError, OSError) as error:
            yield path, error

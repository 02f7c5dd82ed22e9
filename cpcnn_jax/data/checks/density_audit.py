"""One density map of another project, held against its head points."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from cpcnn_jax.data import density_map
from cpcnn_jax.data.checks import external_maps

SCALES = (1, 2, 4, 8)  # of photograph to map, in every project that we know


class Audit(NamedTuple):
    """What a density map holds, and what it should."""

    path: Path
    shape: tuple  # (h, w) of the map
    photograph: tuple | None  # (H, W), where there is one
    people: float  # the sum of the map's finite cells
    negative: float  # the sum of those below zero, people
    not_finite: int  # cells
    heads: int  # inside the photograph
    outside: int  # of it

    @property
    def drift(self):
        """People that the map has too many."""
        return self.people - self.heads

    @property
    def percent(self):
        """The drift as a part of the heads, or of one head where there is none."""
        return percent(self.drift, self.heads)

    @property
    def scale(self):
        """1, 2, 4 or 8: the photograph's sides over the map's, rounded either way."""
        if self.photograph is None:
            return None
        pairs = list(zip(self.photograph, self.shape, strict=True))
        fits = (
            scale
            for scale in SCALES
            if all(side // scale <= cells <= -(-side // scale) for side, cells in pairs)
        )
        return next(fits, None)

    def faults(self, tolerance):
        """What is wrong with the map.

        Args:
          tolerance: percent of the heads, for the drift and for what is negative.

        Returns:
          A list of words; empty for a map that is its heads.
        """
        found = []
        if self.not_finite:
            found.append(f"{self.not_finite} cells not finite")
        if abs(self.percent) > tolerance:
            found.append("drifts")
        if percent(-self.negative, self.heads) > tolerance:
            found.append("negative")
        if self.photograph and self.scale is None:
            height, width = self.photograph
            found.append(f"no 1/1, 1/2, 1/4 or 1/8 of {width}x{height}")
        return found


def percent(people, heads):
    """People as percent of so many heads; of one where there is none."""
    return 100 * people / max(heads, 1)


def audit(path, heads, image=None):
    """Reads a density map and its points.

    Args:
      path: of the map.
      heads: the file of its points.
      image: its photograph; None where there is none, so that no size is checked and
        only heads left of or above the photograph are known to be outside.

    Returns:
      `Audit`.

    Raises:
      ValueError: one of the files cannot be used; the text names it.
    """
    people, points = external_maps.read_map(path), external_maps.read_heads(heads)
    photograph = external_maps.image_shape(image) if image else None
    try:
        inside = density_map.points_inside(points, photograph or (np.inf, np.inf))
    except ValueError as error:
        raise ValueError(f"{heads}: {error}") from None
    finite = people[np.isfinite(people)]
    return Audit(
        path=path,
        shape=people.shape,
        photograph=photograph,
        people=float(finite.sum()),
        negative=float(finite[finite < 0].sum()),
        not_finite=people.size - finite.size,
        heads=int(inside.sum()),
        outside=int((~inside).sum()),
    )

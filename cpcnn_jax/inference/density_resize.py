"""Resizing of density maps with an unchanged sum."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def resize_density(density: ArrayLike, shape: Sequence[int]) -> np.ndarray:
    """Resizes a density map and keeps its sum.

    The people of a cell are spread evenly over its area. If new cells are whole blocks
    of old cells, their values are the sums of the blocks.

    Args:
      density: `[h, w]` people per cell.
      shape: (H, W) in cells, smaller or larger.

    Returns:
      `[H, W]` float32 people per cell.

    Example:
      >>> resize_density([[1, 2, 3, 4], [5, 6, 7, 8]], (1, 2))
      array([[14., 22.]], dtype=float32)
      >>> resize_density([[3, 6]], (1, 3))
      array([[2., 3., 4.]], dtype=float32)
    """
    density = np.asarray(density, np.float64)
    rows, columns = map(_overlaps, density.shape, shape)
    return (rows @ (density @ columns.T)).astype(np.float32)


def _overlaps(cells, size):
    """`[size, cells]` sparse: the part of each old cell that lies in each new cell."""
    from scipy import sparse  # takes 0.1 seconds

    edges = np.linspace(0, cells, size + 1)[:, None]
    cell = np.arange(cells)
    overlap = np.minimum(edges[1:], cell + 1) - np.maximum(edges[:-1], cell)
    return sparse.csr_array(np.maximum(overlap, 0))

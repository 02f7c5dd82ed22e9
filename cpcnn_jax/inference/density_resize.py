"""Density maps at another size and with the same sum."""

import numpy as np
from scipy import sparse


def resize_density(density, shape):
    """A density map at another size and with the same sum.

    The people of a cell are spread evenly over the area that it covers. Where the new
    cells are whole blocks of the old, as at a half or a quarter of sides that divide,
    these are the sums of the blocks.

    Args:
      density: `[h, w]` people per cell.
      shape: (H, W), smaller or larger.

    Returns:
      `[H, W]` float32 people per cell.

    Example:
      >>> resize_density([[1, 2, 3, 4], [5, 6, 7, 8]], (1, 2))
      array([[14., 22.]], dtype=float32)
      >>> resize_density([[3, 6]], (1, 3))
      array([[2., 3., 4.]], dtype=float32)
    """
    density = np.asarray(density, np.float64)
    rows, columns = map(_shares, density.shape, shape)
    return (rows @ (density @ columns.T)).astype(np.float32)


def _shares(cells, size):
    """`[size, cells]` sparse: which part of each old cell of a line is in each new."""
    edges = np.linspace(0, cells, size + 1)[:, None]
    cell = np.arange(cells)
    overlap = np.minimum(edges[1:], cell + 1) - np.maximum(edges[:-1], cell)
    return sparse.csr_array(np.maximum(overlap, 0))

"""How wide each head's Gaussian is: fixed, by its neighbours, or by the perspective."""

import numpy as np
from scipy.spatial import KDTree

RADIUS = 7  # pixels: the author's 15x15 window around a head, for a fixed sigma
BETA, NEIGHBOURS = 0.3, 3  # MCNN's geometry-adaptive kernel
TRUNCATE = 4.0  # a Gaussian that is not fixed ends at this many sigmas
SMALLEST_SIGMA = 0.5  # pixels: coincident heads have no distance to take a width from


def gaussian_widths(points, shape, sigma):
    """The sigma of each head, and where its Gaussian ends.

    Args:
      points: `[N, 2]` heads (x, y) inside the image, pixels.
      shape: (height, width) of the image, pixels.
      sigma: as for `density_map.density_map`.

    Returns:
      `[N]` float sigmas and `[N]` int radii, pixels.

    Raises:
      ValueError: sigma is none of a positive number, "adaptive" and a map of the
        image's shape that is positive at every head.

    Example:
      >>> gaussian_widths([[3, 5], [9, 5]], (48, 64), 4.0)
      (array([4., 4.]), array([7, 7]))
    """
    points = np.asarray(points, np.float64)
    if np.ndim(sigma) == 2:
        sigmas = _at_heads(points, shape, np.asarray(sigma))
    elif sigma == "adaptive":
        sigmas = _by_neighbours(points, shape)
    elif not isinstance(sigma, str) and sigma > 0:
        return np.full(len(points), float(sigma)), np.full(len(points), RADIUS)
    else:
        raise ValueError(f"sigma must be positive pixels or 'adaptive'; got {sigma}.")
    sigmas = np.maximum(sigmas, SMALLEST_SIGMA)
    ends = np.minimum(TRUNCATE * sigmas + 0.5, max(shape))  # beyond that all is outside
    return sigmas, ends.astype(int)


def _by_neighbours(points, shape):
    """`[N]` 0.3 times the mean distance to the nearest other heads, pixels."""
    neighbours = min(NEIGHBOURS, len(points) - 1)
    if neighbours < 1:
        return np.full(len(points), np.mean(shape) / 4)
    distance, _ = KDTree(points).query(points, k=neighbours + 1)  # the first is itself
    return BETA * distance[:, 1:].mean(axis=1)


def _at_heads(points, shape, sigma):
    """`[N]` what a map of sigmas says at each head's pixel."""
    if sigma.shape != tuple(shape):
        raise ValueError(f"a map of sigmas must be {tuple(shape)}; got {sigma.shape}.")
    x, y = np.floor(points).astype(int).T
    sigmas = sigma[y, x].astype(np.float64)
    bad = ~(np.isfinite(sigmas) & (sigmas > 0))
    if bad.any():
        raise ValueError(
            f"a map of sigmas must be positive at every head: it is "
            f"{sigmas[bad][0]:g} at x {x[bad][0]}, y {y[bad][0]}."
        )
    return sigmas

"""Widths of the heads' Gaussians: fixed, geometry-adaptive, or by perspective."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import KDTree

RADIUS = 7  # pixels: the author's 15x15 window around a head, for a fixed sigma
BETA, NEIGHBORS = 0.3, 3  # MCNN's geometry-adaptive kernel
TRUNCATE = 4.0  # radius of the other Gaussians in sigmas
SMALLEST_SIGMA = 0.5  # pixels, for heads at the same point


def gaussian_widths(
    points: ArrayLike, shape: tuple[int, int], sigma: float | str | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Computes the sigma and the radius of each head's Gaussian.

    Args:
      points: `[N, 2]` head points (x, y) inside the image, pixels.
      shape: (height, width) of the image, pixels.
      sigma: pixels, "adaptive", or `[H, W]` pixels; see `density_map.density_map`.

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
        sigmas = _sample_map(points, shape, np.asarray(sigma))
    elif sigma == "adaptive":
        sigmas = _adaptive_sigmas(points, shape)
    elif not isinstance(sigma, str) and sigma > 0:
        return np.full(len(points), float(sigma)), np.full(len(points), RADIUS)
    else:
        raise ValueError(f"sigma must be positive pixels or 'adaptive'; got {sigma}.")
    sigmas = np.maximum(sigmas, SMALLEST_SIGMA)
    radii = np.minimum(TRUNCATE * sigmas + 0.5, max(shape))  # at most the whole image
    return sigmas, radii.astype(int)


def _adaptive_sigmas(points, shape):
    """`[N]` pixels, 0.3 times the mean distance to the nearest other heads."""
    neighbors = min(NEIGHBORS, len(points) - 1)
    if neighbors < 1:
        return np.full(len(points), np.mean(shape) / 4)
    distance, _ = KDTree(points).query(points, k=neighbors + 1)  # the first is itself
    return BETA * distance[:, 1:].mean(axis=1)


def _sample_map(points, shape, sigma):
    """`[N]` pixels, the values of a map of sigmas at the heads' pixels."""
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

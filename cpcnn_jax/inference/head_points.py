"""Heads as points: the peaks of a density map."""

import numpy as np

SMOOTHING = 1.0  # pixels, standard deviation of the Gaussian before the peaks
DISTANCE = 3  # pixels; a peak is the maximum of a square of 2 * DISTANCE + 1 pixels
# Lowest height of a peak, people per pixel: a third of an isolated head, which is a
# Gaussian of 4 pixels.
MIN_HEIGHT = 1 / (3 * 2 * np.pi * 4.0**2)


def find_points(density: np.ndarray, *, min_height: float = MIN_HEIGHT) -> np.ndarray:
    """Finds heads in a density map.

    A head is a local maximum of the smoothed map. Heads closer than a few pixels merge,
    so that dense crowds have fewer points than people. A map with cells larger than
    heads has no meaningful points.

    Args:
      density: `[H, W]` people per pixel.
      min_height: people per pixel; lower maxima are none.

    Returns:
      `[N, 2]` float64 (x, y) pixels, centers of pixels being at .5, from the highest
      peak to the lowest. A plateau is one point.

    Example:
      >>> density = np.zeros((20, 30))
      >>> density[5, 8] = 1
      >>> find_points(density).tolist()
      [[8.5, 5.5]]
    """
    from scipy import ndimage  # takes 0.2 seconds

    smooth = ndimage.gaussian_filter(density.astype(np.float64), SMOOTHING)
    highest = ndimage.maximum_filter(smooth, 2 * DISTANCE + 1)
    labels, number = ndimage.label((smooth == highest) & (smooth >= min_height))
    index = np.arange(1, number + 1)
    centers = ndimage.center_of_mass(labels > 0, labels, index)
    heights = ndimage.maximum(smooth, labels, index)
    order = np.argsort(-np.asarray(heights), kind="stable")
    return np.asarray(centers, np.float64).reshape(-1, 2)[order, ::-1] + 0.5

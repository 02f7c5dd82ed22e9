"""Head points in, density maps and density classes out. NumPy and SciPy only.

A density map holds people per pixel: each head inside the image adds a Gaussian whose
sum over the image is exactly 1, so the map's sum is the number of heads. Points are
`[N, 2]` as (x, y) in pixels; a head sits on the pixel (floor(x), floor(y)).

A Gaussian on a square window is the outer product of its two profiles, and a sum of
outer products is a matrix product: with one sparse row per head, the whole map is
`rows.T @ columns`.
"""

import numpy as np
from scipy import sparse

from cpcnn_jax.data import gaussian_sigma


def density_map(points, *, shape, sigma=4.0, window=None):
    """Draws one Gaussian of unit sum per head.

    A Gaussian cut by the border keeps its peak on the head and is scaled back to sum 1.
    Departs from the author's code, which moves such a Gaussian to the middle of what
    the border leaves of its window, and draws a single head as the value 255.

    Args:
      points: `[N, 2]` head centres (x, y), pixels. Those outside the image don't count.
      shape: (height, width) of the image, pixels.
      sigma: the Gaussian's width in pixels, on a 15x15 window; or "adaptive": 0.3 times
        the mean distance to the three nearest heads (or as many as there are; a lone
        head takes a quarter of the image's mean side); or `[H, W]` pixels, the width
        for a head at each pixel. Those that are not fixed end at four sigmas.
      window: (top, left, height, width) of the part to draw, pixels; by default all.

    Returns:
      `[H, W]` float32, or `[height, width]` of the window: that cut of the whole map.

    Raises:
      ValueError: a point is not finite, points is not `[N, 2]`, or sigma is not
        positive or, as a map, not of the image's shape.

    Example:
      >>> float(density_map([[0, 0], [30.5, 20.9]], shape=(48, 64)).sum().round(4))
      2.0

    Reference: the author's MCNN and CMTL code (fixed); Zhang et al., Single-Image
      Crowd Counting via Multi-Column CNN, CVPR 2016 (adaptive); Zhang et al.,
      Cross-scene Crowd Counting via Deep CNNs, CVPR 2015 (a map: by perspective).
    """
    points = _as_points(points)
    points = points[points_inside(points, shape)]
    sigmas, radii = gaussian_sigma.gaussian_widths(points, shape, sigma)
    top, left, height, width = window or (0, 0, *shape)
    x, y = np.floor(points).astype(int).T
    near = (y + radii >= top) & (y - radii < top + height)
    near &= (x + radii >= left) & (x - radii < left + width)
    x, y, sigmas, radii = x[near], y[near], sigmas[near], radii[near]
    rows = _profiles(y, sigmas, radii, shape[0], top, height)
    columns = _profiles(x, sigmas, radii, shape[1], left, width)
    return (rows.T @ columns).toarray().astype(np.float32)


def points_inside(points, shape):
    """Which points lie on a pixel of the image: 0 <= x < width and 0 <= y < height.

    Args:
      points: `[N, 2]` (x, y), pixels.
      shape: (height, width), pixels.

    Returns:
      `[N]` bool.

    Raises:
      ValueError: a point is not finite, or points is not `[N, 2]`.

    Example:
      >>> points_inside([[0, 0], [64, 10], [63.9, 47.9]], (48, 64))
      array([ True, False,  True])
    """
    points = _as_points(points)
    return ((points >= 0) & (points < (shape[1], shape[0]))).all(axis=1)


def _as_points(points):
    """`[N, 2]` float64 of finite numbers; an empty list is no heads."""
    points = np.asarray(points, np.float64)
    if points.size == 0:
        return np.zeros((0, 2))
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"Head points must be [N, 2] as (x, y); got {points.shape}.")
    bad = int((~np.isfinite(points)).any(axis=1).sum())
    if bad:
        raise ValueError(f"{bad} of {len(points)} head points are not finite numbers.")
    return points


def _profiles(centres, sigmas, radii, size, start, length):
    """`[N, length]` sparse: each head's Gaussian along one axis of the image.

    Its sum over the image, 0..size-1, is 1; of that, start..start+length-1 is kept.
    """
    widths = 2 * radii + 1
    head = np.repeat(np.arange(len(centres)), widths)
    first = np.cumsum(widths) - widths
    offset = np.arange(len(head)) - np.repeat(first + radii, widths)
    position = centres[head] + offset
    value = np.exp(-0.5 * (offset / sigmas[head]) ** 2)
    value *= (position >= 0) & (position < size)
    value /= np.bincount(head, value, minlength=len(centres))[head]
    kept = (position >= start) & (position < start + length) & (value > 0)
    entries = value[kept], (head[kept], position[kept] - start)
    return sparse.csr_array(entries, shape=(len(centres), length))

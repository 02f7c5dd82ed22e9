"""Density maps of head points, with NumPy and SciPy.

A density map holds people per pixel. Each head inside the image adds a Gaussian whose
sum over the image is exactly 1, so that the sum of the map is the number of heads.
Points are `[N, 2]` as (x, y) in pixels; a head's pixel is (floor(x), floor(y)).

A Gaussian on a square window is the outer product of its two profiles, and a sum of
outer products is a matrix product. With one sparse row per head, the whole map is
`rows.T @ columns`.
"""

import operator
import warnings

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from cpcnn_jax.data import gaussian_sigma


def density_map(
    points: ArrayLike,
    *,
    shape: tuple[int, int],
    sigma: float | str | np.ndarray = 4.0,
    window: tuple[int, int, int, int] | None = None,
) -> np.ndarray:
    """Draws one Gaussian of unit sum per head.

    A Gaussian at the border is cut by it and scaled to sum 1; its peak stays on the
    head. Departs from the author's code, which moves such a Gaussian to the middle of
    the part of its window inside the image, and draws a single head as the value 255.

    Args:
      points: `[N, 2]` head points (x, y), pixels; those outside the image
        (`points_inside`) add nothing and have no part in "adaptive", with a warning.
      shape: (height, width) of the image, pixels.
      sigma: pixels, for a Gaussian on a 15x15 window. "adaptive": 0.3 times the mean
        distance to the three nearest heads, or to all if there are fewer; a quarter of
        the image's mean side for a single head. `[H, W]` pixels: the sigma of a head at
        each pixel. Gaussians that are not fixed end at four sigmas.
      window: (top, left, height, width) of the part to draw, pixels; default: all.

    Returns:
      `[H, W]` float32 people per pixel, whose sum is the number of heads inside the
      image; or `[height, width]`, that part of the map.

    Raises:
      ValueError: a point is not finite, points is not `[N, 2]`, shape is not two
        integers, or sigma is not positive or, as a map, not of the image's shape.

    Example:
      >>> float(density_map([[0, 0], [30.5, 20.9]], shape=(48, 64)).sum().round(4))
      2.0

    Reference: the author's MCNN and CMTL code (fixed); Zhang et al., Single-Image
      Crowd Counting via Multi-Column CNN, CVPR 2016 (adaptive); Zhang et al.,
      Cross-scene Crowd Counting via Deep CNNs, CVPR 2015 (a map, by perspective).
    """
    shape = _image_size(shape)
    heads = _keep_inside(_as_points(points), shape)
    sigmas, radii = gaussian_sigma.gaussian_widths(heads, shape, sigma)
    top, left, height, width = (0, 0, *shape) if window is None else window
    x, y = np.floor(heads).astype(int).T
    near = (y + radii >= top) & (y - radii < top + height)
    near &= (x + radii >= left) & (x - radii < left + width)
    x, y, sigmas, radii = x[near], y[near], sigmas[near], radii[near]
    rows = _gaussian_profiles(y, sigmas, radii, shape[0], top, height)
    columns = _gaussian_profiles(x, sigmas, radii, shape[1], left, width)
    return (rows.T @ columns).toarray().astype(np.float32)


def points_inside(points: ArrayLike, shape: tuple[float, float]) -> np.ndarray:
    """Tests which points lie on a pixel: 0 <= x < width and 0 <= y < height.

    Args:
      points: `[N, 2]` (x, y), pixels.
      shape: (height, width) of the image, pixels.

    Returns:
      `[N]` bool.

    Raises:
      ValueError: a point is not finite, or points is not `[N, 2]`.

    Example:
      >>> points_inside([[0, 0], [64, 10], [63.9, 47.9]], (48, 64))
      array([ True, False,  True])
    """
    heads = _as_points(points)
    return ((heads >= 0) & (heads < (shape[1], shape[0]))).all(axis=1)


def _image_size(shape):
    """(height, width) as int."""
    try:
        height, width = map(operator.index, shape)
    except (TypeError, ValueError):
        text = f"shape must be (height, width), two integers; got {shape}."
        raise ValueError(text) from None
    return height, width


def _keep_inside(heads, shape):
    """The heads inside the image; warns of others."""
    inside = points_inside(heads, shape)
    if not inside.all():
        text = f"{(~inside).sum()} of {len(heads)} heads lie outside the image of "
        text += f"{shape[1]}x{shape[0]} pixels and add nothing"
        warnings.warn(text, stacklevel=3)
    return heads[inside]


def _as_points(points):
    """`[N, 2]` float64 of finite numbers, also of an empty list."""
    if np.ma.is_masked(points) or np.iscomplexobj(points):
        raise ValueError("Head points must be real numbers, neither masked nor complex")
    points = np.asarray(points, np.float64)
    if points.size == 0:
        return np.zeros((0, 2))
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"Head points must be [N, 2] as (x, y); got {points.shape}.")
    bad = int((~np.isfinite(points)).any(axis=1).sum())
    if bad:
        raise ValueError(f"{bad} of {len(points)} head points are not finite numbers.")
    return points


def _gaussian_profiles(centers, sigmas, radii, size, start, length):
    """`[N, length]` sparse: a Gaussian per head along one axis of the image.

    Each has sum 1 over 0..size-1; the result is its part start..start+length-1.
    """
    widths = 2 * radii + 1
    head = np.repeat(np.arange(len(centers)), widths)
    first = np.cumsum(widths) - widths
    offset = np.arange(len(head)) - np.repeat(first + radii, widths)
    position = centers[head] + offset
    value = np.exp(-0.5 * (offset / sigmas[head]) ** 2)
    value *= (position >= 0) & (position < size)
    value /= np.bincount(head, value, minlength=len(centers))[head]
    inside = (position >= start) & (position < start + length) & (value > 0)
    entries = value[inside], (head[inside], position[inside] - start)
    return sparse.csr_array(entries, shape=(len(centers), length))

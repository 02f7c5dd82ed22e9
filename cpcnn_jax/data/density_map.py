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
    points = points[inside(points, shape)]
    sigmas, radii = gaussian_sigma.widths(points, shape, sigma)
    top, left, height, width = window or (0, 0, *shape)
    x, y = np.floor(points).astype(int).T
    near = (y + radii >= top) & (y - radii < top + height)
    near &= (x + radii >= left) & (x - radii < left + width)
    x, y, sigmas, radii = x[near], y[near], sigmas[near], radii[near]
    rows = _profiles(y, sigmas, radii, shape[0], top, height)
    columns = _profiles(x, sigmas, radii, shape[1], left, width)
    return (rows.T @ columns).toarray().astype(np.float32)


def inside(points, shape):
    """Which points lie on a pixel of the image: 0 <= x < width and 0 <= y < height.

    Args:
      points: `[N, 2]` (x, y), pixels.
      shape: (height, width), pixels.

    Returns:
      `[N]` bool.

    Raises:
      ValueError: a point is not finite, or points is not `[N, 2]`.

    Example:
      >>> inside([[0, 0], [64, 10], [63.9, 47.9]], (48, 64))
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


def resize(density, shape):
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
      >>> resize([[1, 2, 3, 4], [5, 6, 7, 8]], (1, 2))
      array([[14., 22.]], dtype=float32)
      >>> resize([[3, 6]], (1, 3))
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


def fit_thresholds(counts, *, num_classes=5, classes="width"):
    """The boundaries of density classes over 0 .. the largest count.

    The paper gives no boundaries (as far as we could read it); equal widths are the
    rule of the author's CMTL code. GCE's are fitted on crops, LCE's on 64x64 patches.
    Equal widths leave the upper classes almost empty: see class_weights.

    Args:
      counts: `[N]` people per crop or patch, at least one.
      num_classes: K, at least 2.
      classes: "width": all classes equally wide; "share": all with as many counts;
        "root": equally wide in the counts' square roots, so that few classes are empty
        and those of the fullest images are not too wide.

    Returns:
      `[K - 1]` float32, ascending, people.

    Raises:
      ValueError: no counts, fewer than 2 classes, or another rule.

    Example:
      >>> fit_thresholds([0, 3, 50], num_classes=5)
      array([10., 20., 30., 40.], dtype=float32)
      >>> fit_thresholds([0, 1, 2, 50, 90], num_classes=2, classes="share")
      array([2.], dtype=float32)
      >>> fit_thresholds([0, 3, 48], num_classes=4, classes="root")
      array([ 3., 12., 27.], dtype=float32)
    """
    if len(counts) == 0 or num_classes < 2:
        raise ValueError(
            f"Density classes need at least one count and 2 classes; got {len(counts)} "
            f"counts and num_classes={num_classes}."
        )
    edges = np.linspace(0, 1, num_classes + 1)[1:-1]
    if classes == "width":
        return (edges * np.max(counts)).astype(np.float32)
    if classes == "share":
        return np.quantile(counts, edges).astype(np.float32)
    if classes == "root":
        return (edges**2 * np.max(counts)).astype(np.float32)
    raise ValueError(f"Density classes go by width, share or root; got {classes!r}.")


def density_class(count, thresholds):
    """The class of a count: the number of boundaries below it.

    Departs from the author's code, which rounds count / width to the nearest class and
    so makes the first class half as wide as the others and the last one wider.

    Args:
      count: `[...]` people.
      thresholds: `[K - 1]` ascending, from fit_thresholds.

    Returns:
      `[...]` int32 in 0..K-1; class k holds thresholds[k-1] < count <= thresholds[k].

    Example:
      >>> density_class([0, 10, 11, 1000], [10, 20, 30, 40])
      array([0, 0, 1, 4], dtype=int32)
    """
    return np.searchsorted(thresholds, count, side="left").astype(np.int32)


def class_weights(counts, thresholds):
    """What each class weighs in the cross-entropy: 1 - n_k / N, scaled to sum 1.

    As in the author's CMTL code: n_k of the N counts fall into class k. A rare class
    weighs at most 1 / (K - 1), a class that holds every count weighs 0.

    Args:
      counts: `[N]` people per crop or patch.
      thresholds: `[K - 1]` ascending, from fit_thresholds.

    Returns:
      `[K]` float32 of sum 1.

    Example:
      >>> class_weights([1, 2, 3, 25], [10, 20])
      array([0.125, 0.5  , 0.375], dtype=float32)
    """
    share = _class_counts(counts, thresholds) / len(counts)
    return ((1 - share) / (1 - share).sum()).astype(np.float32)


def class_shares(counts, thresholds):
    """How frequent each class is; half a count is added to each, so that none is 0.

    Args:
      counts: as in `class_weights`.
      thresholds: as in `class_weights`.

    Returns:
      `[K]` float32 of sum 1.

    Example:
      >>> class_shares([1, 2, 3], [10])
      array([0.875, 0.125], dtype=float32)
    """
    number = _class_counts(counts, thresholds) + 0.5
    return (number / number.sum()).astype(np.float32)


def _class_counts(counts, thresholds):
    classes = density_class(counts, thresholds)
    return np.bincount(classes, minlength=len(thresholds) + 1)

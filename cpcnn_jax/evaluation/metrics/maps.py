"""Scores of a density map: one photograph at a time, in float64."""

import numpy as np
from scipy import ndimage

from cpcnn_jax.data import density_map


def psnr(predicted, true):
    """Peak signal-to-noise ratio of a density map, both divided by the true map's peak.

    The normalisation is ours: papers give none, so values compare only within a code
    base. An empty true map is left as it is (its peak taken as 1).

    Args:
      predicted: `[H, W]` people per pixel.
      true: `[H, W]` people per pixel.

    Returns:
      Decibels, a float; infinite for equal maps.

    Example:
      >>> truth = np.eye(16)
      >>> round(psnr(truth + 0.1, truth), 6)
      20.0

    Reference: skimage.metrics.peak_signal_noise_ratio with data_range=1.
    """
    predicted, true = _normalised(predicted, true)
    error = np.mean(np.square(predicted - true))
    return float("inf") if error == 0 else float(-10 * np.log10(error))


def ssim(predicted, true):
    """Structural similarity of a density map, normalised as in `psnr`.

    An 11x11 Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03, data range 1, the mean
    over all windows that lie inside.

    Args:
      predicted: `[H, W]` people per pixel, at least 11 x 11.
      true: `[H, W]` people per pixel.

    Returns:
      -1 to 1, a float; 1 for equal maps.

    Raises:
      ValueError: the maps differ in shape, or no window lies inside.

    Example:
      >>> ssim(np.eye(16), np.eye(16))
      1.0

    Reference: Wang et al., "Image quality assessment: from error visibility to
    structural similarity", IEEE TIP 2004, equation 13.
    """
    x, y = _normalised(predicted, true)
    if min(x.shape) < 11:
        raise ValueError(f"SSIM needs a map of at least 11x11 pixels, got {x.shape}")
    mean_x, mean_y = _window_mean(x), _window_mean(y)
    var_x = _window_mean(x * x) - mean_x**2
    var_y = _window_mean(y * y) - mean_y**2
    cov = _window_mean(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    likeness = (2 * mean_x * mean_y + c1) * (2 * cov + c2)
    likeness /= (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    return float(np.mean(likeness[5:-5, 5:-5]))


def game(predicted, points, level):
    """Grid average mean absolute error of one photograph: counts held region by region.

    The field is split into 2^L x 2^L regions at the pixels floor(i H / 2^L) and
    floor(i W / 2^L), so that where a side does not divide, regions differ by one pixel.
    A head belongs to the region of the pixel it lies on. GAME(0) is the count's error.

    Args:
      predicted: `[H, W]` people per pixel.
      points: `[N, 2]` heads (x, y), pixels, inside the map.
      level: L; 0 to 3 in the literature.

    Returns:
      People, a float: the sum over the regions. Papers print its mean over photographs.

    Raises:
      ValueError: a head lies outside, or a side is under 2^L pixels.

    Example:
      >>> game(np.eye(4) / 2, [[0, 0], [3.5, 0.2]], 0), game(np.eye(4), [[0, 3]], 1)
      (0.0, 5.0)

    Reference: Guerrero-Gomez-Olmedo et al., Extremely Overlapping Vehicle Counting,
    IbPRIA 2015.
    """
    predicted = np.asarray(predicted, np.float64)
    inside = density_map.points_inside(points, predicted.shape)
    if not inside.all():
        raise ValueError(
            f"{(~inside).sum()} of {len(inside)} heads lie outside the map of "
            f"{predicted.shape[1]}x{predicted.shape[0]} pixels"
        )
    heads = np.zeros(predicted.shape)
    x, y = np.floor(np.reshape(points, (-1, 2))).astype(int).T
    np.add.at(heads, (y, x), 1)
    return game_of_maps(predicted, heads, level)


def game_of_maps(predicted, true, level):
    """`game` against a density map instead of heads.

    Args:
      predicted: `[H, W]` people per pixel.
      true: `[H, W]` people per pixel.
      level: L, as in `game`.

    Returns:
      People, a float.

    Raises:
      ValueError: the maps differ in shape, or a side is under 2^L pixels.

    Example:
      >>> game_of_maps(np.eye(4), np.eye(4)[::-1], 1)
      8.0
    """
    predicted, true = _maps(predicted, true)
    if level < 0 or min(true.shape) < 2**level:
        raise ValueError(
            f"GAME({level}) splits each side into 2^{level}: it needs a level of at "
            f"least 0 and a map that has the pixels, got {true.shape}"
        )
    regions = predicted - true
    for axis, size in enumerate(true.shape):
        first = np.arange(2**level) * size // 2**level
        regions = np.add.reduceat(regions, first, axis=axis)
    return float(np.abs(regions).sum())


def _normalised(predicted, true):
    predicted, true = _maps(predicted, true)
    peak = true.max() or 1.0
    return predicted / peak, true / peak


def _maps(predicted, true):
    predicted, true = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    if predicted.shape != true.shape or predicted.ndim != 2:
        raise ValueError(
            "map scores need two maps [H, W] of one shape, got "
            f"{predicted.shape} predicted and {true.shape} true"
        )
    return predicted, true


def _window_mean(x):
    return ndimage.gaussian_filter(x, sigma=1.5, radius=5)

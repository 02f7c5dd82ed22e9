"""Metrics of one density map, computed in float64."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from cpcnn_jax.data import density_map


def psnr(predicted: np.ndarray, true: np.ndarray) -> float:
    """Computes the peak signal-to-noise ratio of a density map.

    Both maps are divided by the true map's peak; the peak of an empty map counts as 1.
    Papers give no normalization, so values compare only within one code base.

    Args:
      predicted: `[H, W]` people per pixel.
      true: `[H, W]` people per pixel.

    Returns:
      Decibels; infinite for equal maps.

    Raises:
      ValueError: the maps differ in shape.

    Example:
      >>> truth = np.eye(16)
      >>> round(psnr(truth + 0.1, truth), 6)
      20.0

    Reference: skimage.metrics.peak_signal_noise_ratio with data_range=1.
    """
    predicted, true = _normalize(predicted, true)
    error = np.mean(np.square(predicted - true))
    return float("inf") if error == 0 else float(-10 * np.log10(error))


def ssim(predicted: np.ndarray, true: np.ndarray) -> float:
    """Computes the structural similarity of density maps, normalized as in `psnr`.

    Gaussian window of 11x11 pixels with sigma 1.5, K1 = 0.01, K2 = 0.03, data range 1;
    the mean over all windows inside the map.

    Args:
      predicted: `[H, W]` people per pixel, at least 11x11.
      true: `[H, W]` people per pixel.

    Returns:
      -1 to 1; 1 for equal maps.

    Raises:
      ValueError: the maps differ in shape or are smaller than the window.

    Example:
      >>> ssim(np.eye(16), np.eye(16))
      1.0

    Reference: Wang et al., "Image quality assessment: from error visibility to
    structural similarity", IEEE TIP 2004, equation 13.
    """
    x, y = _normalize(predicted, true)
    if min(x.shape) < 11:
        raise ValueError(f"SSIM needs a map of at least 11x11 pixels, got {x.shape}")
    mean_x, mean_y, mean_squares, mean_product = (
        ndimage.gaussian_filter(values, sigma=1.5, radius=5)
        for values in (x, y, x**2 + y**2, x * y)
    )
    squares, product = mean_x**2 + mean_y**2, mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * product + c1) * (2 * (mean_product - product) + c2)
    similarity /= (squares + c1) * (mean_squares - squares + c2)
    return float(np.mean(similarity[5:-5, 5:-5]))


def game(
    predicted: np.ndarray, points: np.ndarray | Sequence[Sequence[float]], level: int
) -> float:
    """Computes the grid average mean absolute error (GAME) of one image.

    The image is split into 2^L x 2^L regions at the pixels floor(i H / 2^L) and
    floor(i W / 2^L). GAME(0) is the error of the count.

    Args:
      predicted: `[H, W]` people per pixel.
      points: `[N, 2]` heads as (x, y), pixels, inside the map.
      level: L; 0 to 3 in the literature.

    Returns:
      People, the sum over the regions. Papers print its mean over images.

    Raises:
      ValueError: a head lies outside, or a side has fewer than 2^L pixels.

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


def game_of_maps(predicted: np.ndarray, true: np.ndarray, level: int) -> float:
    """Computes GAME against a density map instead of heads.

    Args:
      predicted: `[H, W]` people per pixel.
      true: `[H, W]` people per pixel.
      level: L, as in `game`.

    Returns:
      People.

    Raises:
      ValueError: the maps differ in shape, or a side has fewer than 2^L pixels.

    Example:
      >>> game_of_maps(np.eye(4), np.eye(4)[::-1], 1)
      8.0
    """
    predicted, true = _check_maps(predicted, true)
    if level < 0 or min(true.shape) < 2**level:
        raise ValueError(
            f"GAME({level}) splits each side into 2^{level}: it needs a level of at "
            f"least 0 and sides of at least 2^{level} pixels, got {true.shape}"
        )
    regions = predicted - true
    for axis, size in enumerate(true.shape):
        first = np.arange(2**level) * size // 2**level
        regions = np.add.reduceat(regions, first, axis=axis)
    return float(np.abs(regions).sum())


def _normalize(predicted, true):
    predicted, true = _check_maps(predicted, true)
    peak = true.max() or 1.0
    return predicted / peak, true / peak


def _check_maps(predicted, true):
    predicted, true = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    if predicted.shape != true.shape or predicted.ndim != 2:
        raise ValueError(
            "map scores need two maps [H, W] of one shape, got "
            f"{predicted.shape} predicted and {true.shape} true"
        )
    return predicted, true

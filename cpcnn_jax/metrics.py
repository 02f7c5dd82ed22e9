"""Scores of counts and maps: numpy in float64, one photograph or one list at a time."""

import numpy as np
from scipy import ndimage


def mae(predicted, true):
    """Mean absolute error of counts.

    Args:
      predicted: `[N]` people.
      true: `[N]` people.

    Returns:
      People, a float.

    Example:
      >>> mae([90.0, 210.0], [100.0, 200.0])
      10.0

    Reference: Sindagi & Patel, ICCV 2017, section 4.
    """
    return float(np.mean(np.abs(_errors(predicted, true))))


def rmse(predicted, true):
    """Root of the mean squared error of counts: what crowd papers print as "MSE".

    Args:
      predicted: `[N]` people.
      true: `[N]` people.

    Returns:
      People, a float.

    Example:
      >>> rmse([99.0, 207.0], [100.0, 200.0])
      5.0

    Reference: Sindagi & Patel, ICCV 2017, section 4.
    """
    return float(np.sqrt(np.mean(np.square(_errors(predicted, true)))))


def _errors(predicted, true):
    predicted, true = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    if predicted.shape != true.shape or predicted.ndim != 1 or not predicted.size:
        raise ValueError(
            "counts must be two lists of one length, at least 1: got shapes "
            f"{predicted.shape} predicted and {true.shape} true"
        )
    return predicted - true


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

    Example:
      >>> ssim(np.eye(16), np.eye(16))
      1.0

    Reference: Wang et al., "Image quality assessment: from error visibility to
    structural similarity", IEEE TIP 2004, equation 13.
    """
    x, y = _normalised(predicted, true)
    mean_x, mean_y = _window_mean(x), _window_mean(y)
    var_x = _window_mean(x * x) - mean_x**2
    var_y = _window_mean(y * y) - mean_y**2
    cov = _window_mean(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    likeness = (2 * mean_x * mean_y + c1) * (2 * cov + c2)
    likeness /= (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    return float(np.mean(likeness[5:-5, 5:-5]))


def _normalised(predicted, true):
    predicted, true = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    if predicted.shape != true.shape or predicted.ndim != 2:
        raise ValueError(
            "map scores need two maps [H, W] of one shape, got "
            f"{predicted.shape} predicted and {true.shape} true"
        )
    peak = true.max() or 1.0
    return predicted / peak, true / peak


def _window_mean(x):
    return ndimage.gaussian_filter(x, sigma=1.5, radius=5)

"""Metrics of counts: predicted against true people, one value per image."""

import numpy as np

from cpcnn_jax.data.density_classes import Counts, density_class


def mae(predicted: Counts, true: Counts) -> float:
    """Computes the mean absolute error of counts.

    Args:
      predicted: `[N]` people.
      true: `[N]` people.

    Returns:
      People.

    Example:
      >>> mae([90.0, 210.0], [100.0, 200.0])
      10.0

    Reference: Sindagi & Patel, ICCV 2017, section 4.
    """
    return float(np.mean(np.abs(_errors(predicted, true))))


def rmse(predicted: Counts, true: Counts) -> float:
    """Computes the root mean squared error of counts, "MSE" in crowd papers.

    Args:
      predicted: `[N]` people.
      true: `[N]` people.

    Returns:
      People.

    Example:
      >>> rmse([99.0, 207.0], [100.0, 200.0])
      5.0

    Reference: Sindagi & Patel, ICCV 2017, section 4.
    """
    return float(np.sqrt(np.mean(np.square(_errors(predicted, true)))))


def nae(predicted: Counts, true: Counts) -> float:
    """Computes the normalized absolute error, the mean of error over true count.

    Args:
      predicted: `[N]` people.
      true: `[N]` people.

    Returns:
      A fraction, of the images that show people; nan without such an image.

    Example:
      >>> nae([90.0, 300.0, 7.0], [100.0, 200.0, 0.0])
      0.3

    Reference: Wang et al., NWPU-Crowd, IEEE TPAMI 2021.
    """
    errors, true = np.abs(_errors(predicted, true)), np.asarray(true, np.float64)
    if not (crowded := true > 0).any():
        return float("nan")
    return float(np.mean(errors[crowded] / true[crowded]))


def mae_per_level(predicted: Counts, true: Counts, thresholds: Counts) -> np.ndarray:
    """Computes the MAE of the images of each density level, by their true count.

    Args:
      predicted: `[N]` people.
      true: `[N]` people.
      thresholds: `[K - 1]` ascending people, of `density_classes.density_class`.

    Returns:
      `[K]` float64 people; nan where a level has no image.

    Example:
      >>> mae_per_level([8, 11, 90], [10, 11, 100], [10, 50])
      array([ 2.,  0., 10.])
    """
    errors = np.abs(_errors(predicted, true))
    levels = density_class(true, thresholds)
    num_levels = len(thresholds) + 1
    total = np.bincount(levels, errors, num_levels)
    number = np.bincount(levels, minlength=num_levels)
    return np.divide(total, number, np.full(num_levels, np.nan), where=number > 0)


def _errors(predicted, true):
    predicted, true = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    if predicted.shape != true.shape or predicted.ndim != 1 or not predicted.size:
        raise ValueError(
            "counts must be two lists of one length, at least 1: got shapes "
            f"{predicted.shape} predicted and {true.shape} true"
        )
    return predicted - true

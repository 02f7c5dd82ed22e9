"""Scores of counts: one list of people predicted, one of people there."""

import numpy as np

from cpcnn_jax.data import density_classes


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


def nae(predicted, true):
    """Normalised absolute error: the mean of each error over its true count.

    Photographs without people have no such error and are left out.

    Args:
      predicted: `[N]` people.
      true: `[N]` people.

    Returns:
      A fraction, a float; nan where no photograph shows people.

    Example:
      >>> nae([90.0, 300.0, 7.0], [100.0, 200.0, 0.0])
      0.3

    Reference: Wang et al., NWPU-Crowd, IEEE TPAMI 2021.
    """
    errors, true = np.abs(_errors(predicted, true)), np.asarray(true, np.float64)
    some = true > 0
    return float(np.mean(errors[some] / true[some])) if some.any() else float("nan")


def mae_per_level(predicted, true, thresholds):
    """MAE of the photographs of each density level, by their true count.

    Args:
      predicted: `[N]` people.
      true: `[N]` people.
      thresholds: `[K - 1]` ascending people, as in `density_classes.density_class`: 4
      of
      them
        make the five levels of the paper.

    Returns:
      `[K]` float64 people; nan where a level has no photograph.

    Example:
      >>> mae_per_level([8, 11, 90], [10, 11, 100], [10, 50])
      array([ 2.,  0., 10.])
    """
    errors = np.abs(_errors(predicted, true))
    level = density_classes.density_class(true, thresholds)
    total, number = (
        np.bincount(level, weights, len(thresholds) + 1) for weights in (errors, None)
    )
    return np.divide(total, number, np.full(len(total), np.nan), where=number > 0)


def _errors(predicted, true):
    predicted, true = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    if predicted.shape != true.shape or predicted.ndim != 1 or not predicted.size:
        raise ValueError(
            "counts must be two lists of one length, at least 1: got shapes "
            f"{predicted.shape} predicted and {true.shape} true"
        )
    return predicted - true

"""Prediction intervals of counts from the errors on validation images.

Split conformal prediction by level of density: if the validation images and a new image
are exchangeable within a level, the interval holds the true count with a probability of
at least `COVERAGE`. Images of another kind are not covered.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

COVERAGE = 0.9  # probability that an interval holds the true count
OFFSET = 10.0  # people; added to both counts, so that small ones have ratios
AREA = 100**2  # pixels, the unit of a density level
MAX_LEVELS = 3
_LEAST = 10  # images of a level


class PredictionIntervals(NamedTuple):
    """Errors of a network by level of density.

    Attributes:
      thresholds: ascending people per 100x100 pixels that divide the levels.
      log_ratios: of each level, the bound of |log((true + 10) / (predicted + 10))|.
      num_images: validation images.
    """

    thresholds: tuple[float, ...]
    log_ratios: tuple[float, ...]
    num_images: int

    def interval(self, count: float, pixels: int) -> tuple[float, float]:
        """Computes the interval of a count.

        Args:
          count: predicted people.
          pixels: number of pixels of the image.

        Returns:
          (low, high), people, at least 0.

        Example:
          >>> PredictionIntervals((), (math.log(2),), 10).interval(10, 90_000)
          (0.0, 30.0)
        """
        count = max(count, 0.0)
        level = np.searchsorted(self.thresholds, density_level(count, pixels))
        ratio = math.exp(self.log_ratios[int(level)])
        low, high = ((count + OFFSET) * r - OFFSET for r in (1 / ratio, ratio))
        return max(low, 0.0), high


def density_level(count: ArrayLike, pixels: ArrayLike) -> np.ndarray:
    """Converts people in images of so many pixels to people per 100x100 pixels."""
    return np.asarray(count) * AREA / np.asarray(pixels)


def fit_intervals(
    true: ArrayLike, predicted: ArrayLike, pixels: ArrayLike
) -> PredictionIntervals:
    """Fits intervals to counts of images that the networks were not trained on.

    Args:
      true: `[N]` people.
      predicted: `[N]` people.
      pixels: `[N]` numbers of pixels of the images.

    Returns:
      Intervals with one to three levels of equally many images; fewer levels where many
      images have one density.

    Raises:
      ValueError: there are less than 10 images.

    Reference: Lei et al., Distribution-free predictive inference for regression, JASA
    113(523), 2018, for the rank.
    """
    true, predicted = np.asarray(true, float), np.maximum(predicted, 0.0)
    if len(true) < _LEAST:
        raise ValueError(
            f"intervals need the counts of at least {_LEAST} validation images, got "
            f"{len(true)}"
        )
    level = density_level(predicted, pixels)
    thresholds = _split_levels(level)
    errors = np.abs(np.log((true + OFFSET) / (predicted + OFFSET)))
    members = np.searchsorted(thresholds, level)
    bounds = [_conformal_bound(errors[members == n]) for n in range(members.max() + 1)]
    return PredictionIntervals(tuple(thresholds.tolist()), tuple(bounds), len(true))


def _split_levels(level):
    """Thresholds of as many levels as have enough images each."""
    for number in range(MAX_LEVELS, 1, -1):
        thresholds = np.quantile(level, np.arange(1, number) / number)
        sizes = np.bincount(np.searchsorted(thresholds, level), minlength=number)
        if sizes.min() >= _LEAST:
            return thresholds
    return np.empty(0)


def _conformal_bound(errors):
    """The error of rank ceil(COVERAGE * (n + 1)), the largest if the rank exceeds n."""
    rank = min(math.ceil(COVERAGE * (len(errors) + 1)), len(errors))
    return float(np.sort(errors)[rank - 1])


def coverage(true: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """Computes the share of `[N]` true counts inside their intervals."""
    true = np.asarray(true)
    return float(np.mean((np.asarray(low) <= true) & (true <= np.asarray(high))))


def parse_intervals(header: Mapping[str, Any] | None) -> PredictionIntervals | None:
    """Reads the entry of a weights file; None for none.

    Raises:
      ValueError: the entry has other fields or values.
    """
    if header is None:
        return None
    try:
        thresholds, bounds = (
            tuple(map(float, header[name])) for name in ("thresholds", "log_ratios")
        )
        number = int(header["num_images"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ValueError(f"unknown prediction intervals: {header!r}") from None
    ordered = all(a <= b for a, b in zip(thresholds, thresholds[1:], strict=False))
    finite = all(map(math.isfinite, thresholds + bounds))
    usable = finite and ordered and all(0 <= bound < 100 for bound in bounds)
    if not usable or len(bounds) != len(thresholds) + 1:
        raise ValueError(f"impossible prediction intervals: {header!r}")
    return PredictionIntervals(thresholds, bounds, number)

"""Bootstrap intervals of scores, and the paired comparison of two runs.

An interval covers the choice of test images, not the variation between trainings.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

# Shared by all intervals that are printed or written.
CONFIDENCE, RESAMPLES, SEED = 0.95, 10_000, 0
BOOTSTRAP = {"confidence": CONFIDENCE, "resamples": RESAMPLES, "seed": SEED}


class Difference(NamedTuple):
    """Difference of the absolute errors of two runs, a minus b, people."""

    mean: float  # below 0: a has the smaller error
    low: float  # 95% bootstrap interval of the mean
    high: float
    p_value: float  # Wilcoxon's signed-rank test, two-sided


def mean_interval(
    values: Sequence[float] | np.ndarray,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> tuple[float, float]:
    """Computes the 95% percentile bootstrap interval of a mean.

    Args:
      values: `[N]`, one per image, N at least 2; absolute errors for the MAE.
      resamples: number of resamples of N values, drawn with replacement.
      seed: seed of the resampling.

    Returns:
      (low, high), in the unit of the values.

    Raises:
      ValueError: there are fewer than 2 values.

    Example:
      >>> mean_interval([1, 1, 1])
      (1.0, 1.0)

    Reference: Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(
            f"an interval needs a list of at least 2 values, got shape {values.shape}"
        )
    count, rng = len(values), np.random.default_rng(seed)
    means = [values[rng.integers(0, count, count)].mean() for _ in range(resamples)]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return float(low), float(high)


def paired_difference(
    errors_a: Sequence[float] | np.ndarray,
    errors_b: Sequence[float] | np.ndarray,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Difference:
    """Compares the absolute errors of two runs on the same images.

    Args:
      errors_a: `[N]` people, N at least 2; absolute errors of run a.
      errors_b: `[N]` people; absolute errors of run b.
      resamples: number of resamples of N images.
      seed: seed of the resampling.

    Returns:
      The `Difference`; the p value is 1 where all errors are equal.

    Raises:
      ValueError: the lists differ in length or have fewer than 2 values.

    Example:
      >>> paired_difference([1, 2, 3], [2, 3, 4])
      Difference(mean=-1.0, low=-1.0, high=-1.0, p_value=0.25)

    Reference: Wilcoxon, Individual Comparisons by Ranking Methods, 1945.
    """
    a, b = np.asarray(errors_a, np.float64), np.asarray(errors_b, np.float64)
    if a.shape != b.shape:
        raise ValueError(
            f"paired errors need the same images, got shapes {a.shape} and {b.shape}"
        )
    low, high = mean_interval(a - b, resamples=resamples, seed=seed)
    p_value = stats.wilcoxon(a - b).pvalue if (a - b).any() else 1.0
    return Difference(float((a - b).mean()), low, high, float(p_value))

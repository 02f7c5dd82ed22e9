"""How sure a score is: bootstrap intervals over photographs, and two runs compared.

Photographs are what is drawn again, with replacement: an interval says what other test
photographs of the same kind could have given, nothing about another training.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

# Of every interval that is printed or written, so that all are of the same draws.
CONFIDENCE, RESAMPLES, SEED = 0.95, 10_000, 0
BOOTSTRAP = {"confidence": CONFIDENCE, "resamples": RESAMPLES, "seed": SEED}


class Difference(NamedTuple):
    """What `paired_difference` found."""

    mean: float  # of a minus b; below 0: a errs less
    low: float  # 95% bootstrap interval of the mean
    high: float
    p_value: float  # Wilcoxon's signed-rank test, two-sided


def mean_interval(values, *, resamples=RESAMPLES, seed=SEED, confidence=CONFIDENCE):
    """Percentile bootstrap interval of a mean: of absolute errors, that of the MAE.

    Args:
      values: `[N]`, one per photograph, at least 2.
      resamples: how often N photographs are drawn from them.
      seed: of the draws; fixes the interval.
      confidence: between 0 and 1.

    Returns:
      (low, high).

    Raises:
      ValueError: fewer than 2 values.

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
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return float(low), float(high)


def paired_difference(errors_a, errors_b, *, resamples=RESAMPLES, seed=SEED):
    """Whether one run errs less than another, photograph by photograph.

    Args:
      errors_a: `[N]` absolute errors of one run, people.
      errors_b: `[N]` of another on the same photographs.
      resamples: as in `mean_interval`.
      seed: likewise.

    Returns:
      A `Difference`; its p value is 1 where the runs err alike on every photograph.

    Raises:
      ValueError: the lists differ in length or have fewer than 2 values.

    Example:
      >>> paired_difference([1, 2, 3], [2, 3, 4])
      Difference(mean=-1.0, low=-1.0, high=-1.0, p_value=0.25)

    Reference: Wilcoxon, Individual Comparisons by Ranking Methods, 1945.
    """
    errors_a, errors_b = (np.asarray(e, np.float64) for e in (errors_a, errors_b))
    if errors_a.shape != errors_b.shape:
        raise ValueError(
            f"paired errors are of the same photographs, got shapes {errors_a.shape} "
            f"and {errors_b.shape}"
        )
    differences = errors_a - errors_b
    low, high = mean_interval(differences, resamples=resamples, seed=seed)
    p_value = stats.wilcoxon(differences).pvalue if differences.any() else 1.0
    return Difference(float(differences.mean()), low, high, float(p_value))

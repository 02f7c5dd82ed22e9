"""Density classes of counts, the labels of GCE and LCE."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

Counts = Sequence[float] | np.ndarray


def fit_thresholds(
    counts: Counts, *, num_classes: int = 5, binning: str = "equal_width"
) -> np.ndarray:
    """Computes the thresholds between density classes from counts.

    The paper gives no thresholds, as far as we could read it. The author's CMTL code
    uses equal widths from 0 to the largest count [I], which leave the upper classes
    almost empty; see `class_weights`.

    Args:
      counts: `[N]` people per crop (GCE) or 64x64 patch (LCE), N at least 1.
      num_classes: K, at least 2.
      binning: "equal_width" or "quantile" (equally many counts in each class).

    Returns:
      `[K - 1]` float32 people, ascending.

    Raises:
      ValueError: no counts, fewer than 2 classes, or an unknown binning.

    Example:
      >>> fit_thresholds([0, 3, 50], num_classes=5)
      array([10., 20., 30., 40.], dtype=float32)
      >>> fit_thresholds([0, 1, 2, 50, 90], num_classes=2, binning="quantile")
      array([2.], dtype=float32)
    """
    if len(counts) == 0 or num_classes < 2:
        raise ValueError(
            f"Density classes need at least one count and 2 classes; got {len(counts)} "
            f"counts and num_classes={num_classes}."
        )
    edges = np.linspace(0, 1, num_classes + 1)[1:-1]
    if binning == "equal_width":
        return (edges * np.max(counts)).astype(np.float32)
    if binning == "quantile":
        return np.quantile(counts, edges).astype(np.float32)
    raise ValueError(
        f"Density classes are binned by equal_width or quantile; got {binning!r}."
    )


def density_class(count: ArrayLike, thresholds: ArrayLike) -> np.ndarray:
    """Classifies counts; the class is the number of thresholds below the count.

    Departs from the author's code, which rounds count / width to the nearest class. Its
    first class is half as wide as the others, and its last one is wider.

    Args:
      count: `[...]` people.
      thresholds: `[K - 1]` people, ascending.

    Returns:
      `[...]` int32 in 0..K-1; class k holds thresholds[k-1] < count <= thresholds[k].

    Example:
      >>> density_class([0, 10, 11, 1000], [10, 20, 30, 40])
      array([0, 0, 1, 4], dtype=int32)
    """
    return np.searchsorted(thresholds, count, side="left").astype(np.int32)


def class_weights(counts: Counts, thresholds: Counts) -> np.ndarray:
    """Computes the weight of each class in the cross-entropy.

    The weight is 1 - n_k / N, scaled to sum 1, as in the author's CMTL code; n_k of the
    N counts are of class k. A rare class has at most the weight 1 / (K - 1). A class of
    all counts has the weight 0.

    Args:
      counts: `[N]` people per crop or patch.
      thresholds: `[K - 1]` people, ascending.

    Returns:
      `[K]` float32 of sum 1.

    Example:
      >>> class_weights([1, 2, 3, 25], [10, 20])
      array([0.125, 0.5  , 0.375], dtype=float32)
    """
    classes = density_class(counts, thresholds)
    weights = 1 - np.bincount(classes, minlength=len(thresholds) + 1) / len(counts)
    return (weights / weights.sum()).astype(np.float32)

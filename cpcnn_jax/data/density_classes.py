"""Density classes of counts, the labels of GCE and LCE."""

import numpy as np


def fit_thresholds(counts, *, num_classes=5, binning="equal_width"):
    """The boundaries of density classes over 0 .. the largest count.

    The paper gives no boundaries (as far as we could read it); equal widths are the
    rule of the author's CMTL code. GCE's are fitted on crops, LCE's on 64x64 patches.
    Equal widths leave the upper classes almost empty: see class_weights.

    Args:
      counts: `[N]` people per crop or patch, at least one.
      num_classes: K, at least 2.
      binning: "equal_width" or "quantile", equally many counts in each class.

    Returns:
      `[K - 1]` float32, ascending, people.

    Raises:
      ValueError: no counts, fewer than 2 classes, or another rule.

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


def _class_counts(counts, thresholds):
    classes = density_class(counts, thresholds)
    return np.bincount(classes, minlength=len(thresholds) + 1)

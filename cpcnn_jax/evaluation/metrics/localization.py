"""Localization of heads: points matched one to one within a radius."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial import cKDTree

RADIUS = 8.0  # pixels between a predicted head and the true one


class Localization(NamedTuple):
    """Numbers of heads; those of several images add up."""

    matched: int
    predicted: int
    true: int

    @property
    def precision(self) -> float:
        """Share of the predicted heads that are matched; nan without any."""
        return self.matched / self.predicted if self.predicted else float("nan")

    @property
    def recall(self) -> float:
        """Share of the true heads that are matched; nan without any."""
        return self.matched / self.true if self.true else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; nan without any head."""
        total = self.predicted + self.true
        return 2 * self.matched / total if total else float("nan")


def localize(
    predicted: np.ndarray, true: np.ndarray, radius: float = RADIUS
) -> Localization:
    """Matches as many heads as possible, each at most once.

    Args:
      predicted: `[N, 2]` (x, y) pixels.
      true: `[M, 2]` (x, y) pixels.
      radius: largest distance of a matched pair, pixels.

    Example:
      >>> heads = np.array([[0.0, 0.0], [5.0, 0.0]])
      >>> localize(np.array([[4.0, 0.0]]), heads)
      Localization(matched=1, predicted=1, true=2)
    """
    sizes = len(predicted), len(true)
    if not all(sizes):
        return Localization(0, *sizes)
    near = cKDTree(predicted).query_ball_point(true, radius)
    rows = np.repeat(np.arange(len(true)), [len(items) for items in near])
    columns = np.concatenate([np.asarray(items, int) for items in near])
    pairs = csr_array((np.ones(len(rows)), (rows, columns)), shape=(sizes[1], sizes[0]))
    matches = maximum_bipartite_matching(pairs, perm_type="column")
    return Localization(int(np.sum(matches >= 0)), *sizes)

"""Initialization of F-CNN to the expected density of the LCE's classes.

LCE's patches have one size. Each of its classes therefore has a mean density, measured
on the training patches, and the mean weighted by LCE's scores is an expected density.
GCE's blocks have different sizes and imply no density.

Departs from the paper, which gives no initial weights of F-CNN.
"""

from collections.abc import Mapping

import numpy as np

from cpcnn_jax.data import density_classes
from cpcnn_jax.training.init import net2net


def fcnn_from_lce(
    params: Mapping[str, np.ndarray],
    counts: np.ndarray,
    thresholds: np.ndarray,
    *,
    area: int,
    density_scale: float,
) -> dict[str, np.ndarray]:
    """Makes parameters of F-CNN that predict the LCE's expected density.

    Args:
      params: flat dict of CP-CNN parameters, with a `fcnn.FusionCNN`.
      counts: `[N]` people in each of LCE's training patches.
      thresholds: `[K - 1]` people, boundaries of LCE's classes.
      area: pixels of a patch.
      density_scale: `config.Model.density_scale`.

    Returns:
      F-CNN's parameters, a flat dict.
    """
    weights = np.zeros(params["fcnn/conv1/kernel"].shape[2])
    means = class_means(counts, thresholds)
    weights[-len(means) :] = means * density_scale / area  # LCE's scores are the last
    return net2net.carry_through_fcnn(params, weights)


def class_means(counts: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Computes the mean count of each density class.

    Args:
      counts: `[N]` people per patch.
      thresholds: `[K - 1]` people, boundaries of the classes.

    Returns:
      `[K]` float64; the middle of a class that has no patch.

    Example:
      >>> class_means([1, 5, 15], [2, 20, 30])
      array([ 1., 10., 25., 30.])
    """
    classes = density_classes.density_class(counts, thresholds)
    number = len(thresholds) + 1
    edges = np.array([0, *thresholds, max(thresholds[-1], np.max(counts))])
    people = np.bincount(classes, weights=counts, minlength=number)
    patches = np.bincount(classes, minlength=number)
    middles = (edges[:-1] + edges[1:]) / 2
    return np.where(patches, people / np.maximum(patches, 1), middles)

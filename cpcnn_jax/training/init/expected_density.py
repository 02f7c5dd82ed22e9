"""F-CNN that begins as the density which LCE expects.

LCE's patches are all of one size, so that each of its classes has a mean number of
people per pixel, over the training patches that are of it. The sum of these by LCE's
scores is the density that it expects; F-CNN begins as that (`carried`), and learns from
there what DME's features and GCE's scores add. GCE's blocks are parts of a photograph
of any size: its classes are of people, not of people per pixel.

Departs from the paper, which says nothing of F-CNN's first weights.
"""

import numpy as np

from cpcnn_jax.data import density_classes
from cpcnn_jax.training.init import net2net


def fcnn_from_lce(before, counts, thresholds, *, area, density_scale):
    """F-CNN's weights before training.

    Args:
      before: flat dict of a CP-CNN's weights, its F-CNN `fcnn.FusionCNN`.
      counts: `[N]` people in each of LCE's training patches.
      thresholds: `[K - 1]` of LCE's classes, from `density_classes.fit_thresholds`.
      area: pixels of a patch.
      density_scale: `config.Model.density_scale`.

    Returns:
      A flat dict.
    """
    looks = np.zeros(before["fcnn/conv1/kernel"].shape[2])
    means = class_means(counts, thresholds)
    looks[-len(means) :] = means * density_scale / area  # LCE's scores are the last
    return net2net.carry_through_fcnn(before, looks)


def class_means(counts, thresholds):
    """The mean count of each density class.

    Args:
      counts: `[N]` people per patch.
      thresholds: `[K - 1]` from `density_classes.fit_thresholds`.

    Returns:
      `[K]` float64; of a class that has no patch the middle.

    Example:
      >>> class_means([1, 5, 15], [2, 20, 30])
      array([ 1., 10., 25., 30.])
    """
    classes, number = (
        density_classes.density_class(counts, thresholds),
        len(thresholds) + 1,
    )
    edges = np.array([0, *thresholds, max(thresholds[-1], np.max(counts))])
    people = np.bincount(classes, weights=counts, minlength=number)
    patches = np.bincount(classes, minlength=number)
    middles = (edges[:-1] + edges[1:]) / 2
    return np.where(patches, people / np.maximum(patches, 1), middles)

"""F-CNN that begins as the density which the context stands for.

A class of density has a mean number of people per pixel, over the training crops or
patches that are of it. GCE's and LCE's scores are probabilities of classes, and the sum
of these means by them is the density that each of both expects. F-CNN begins as the
mean of the two (`carried`), and learns from there what DME's features add.

Departs from the paper, which says nothing of F-CNN's first weights.
"""

import numpy as np

from cpcnn_jax import carried, density


def fusion(before, classes, *, density_scale):
    """F-CNN's weights before training.

    Args:
      before: flat dict of a CP-CNN's weights, its F-CNN `fcnn.FusionCNN`.
      classes: `[K]` of `class_densities`, of GCE, of LCE or of both in this order.
      density_scale: `config.Model.density_scale`.

    Returns:
      A flat dict.
    """
    scores = np.concatenate(classes) * density_scale / len(classes)
    features = before["fcnn/conv1/kernel"].shape[2] - len(scores)
    return carried.fusion(before, np.concatenate([np.zeros(features), scores]))


def class_densities(counts, areas, thresholds):
    """How many people a pixel of each density class has.

    Args:
      counts: `[N]` people per crop or patch.
      areas: `[N]` their pixels.
      thresholds: `[K - 1]` from `density.fit_thresholds`.

    Returns:
      `[K]` float64; 0 for a class that has no example.

    Example:
      >>> class_densities([1, 5, 15], [10, 10, 40], [2])
      array([0.1, 0.4])
    """
    classes = density.density_class(counts, thresholds)
    number = len(thresholds) + 1
    people, pixels = (
        np.bincount(classes, weights=values, minlength=number)
        for values in (counts, areas)
    )
    return people / np.maximum(pixels, 1)

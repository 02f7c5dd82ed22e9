"""Initialization of networks with finer density classes than the pretrained ones.

Each class is split into equally likely classes, and F-CNN weights each part as it
weighted the whole. The networks' predictions do not change.

Departs from the paper, which has five classes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

LOGITS = "head/logits/"  # last layer of GCE and LCE
FUSION = "fcnn/conv1/kernel"  # input: DME's features, then the scores of GCE and LCE


def split_classes(
    pretrained: dict[str, Any], target: Mapping[str, Any]
) -> dict[str, Any]:
    """Splits the density classes of pretrained parameters.

    Args:
      pretrained: flat dict of parameters with K classes.
      target: flat dict of the new networks' parameters, with a multiple of K classes.

    Returns:
      The pretrained parameters with the new number of classes; unchanged where the two
      dicts belong to different networks.

    Raises:
      ValueError: the new number of classes is not a multiple of K.

    Example:
      >>> old = {"gce/head/logits/bias": np.array([1.0, 2.0]), FUSION: np.eye(5)[None]}
      >>> new = {"gce/head/logits/bias": np.zeros(4), FUSION: np.zeros((1, 7, 5))}
      >>> split_classes(old, new)["gce/head/logits/bias"]
      array([1., 1., 2., 2.])
    """
    logits = {name: x for name, x in pretrained.items() if LOGITS in name}
    if not logits or FUSION not in pretrained or pretrained.keys() != target.keys():
        return pretrained
    first = next(iter(logits))
    old, new = pretrained[first].shape[-1], target[first].shape[-1]
    factor, rest = divmod(new, old)
    if rest:
        raise ValueError(
            f"--config.init_from has {old} density classes, of which "
            f"--config.model.num_classes={new} must be a multiple"
        )
    split = {name: np.repeat(x, factor, axis=-1) for name, x in logits.items()}
    kernel = pretrained[FUSION]
    scores = sum(x.shape[-1] for name, x in logits.items() if name.endswith("bias"))
    features, classes = np.split(kernel, [kernel.shape[-2] - scores], axis=-2)
    classes = np.repeat(classes, factor, axis=-2)
    fusion = np.concatenate([features, classes], axis=-2)
    return {**pretrained, **split, FUSION: fusion}

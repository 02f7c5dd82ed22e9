"""Validation during training: the count error that chooses the best checkpoint.

GCE and LCE are frozen while DME and F-CNN are trained. Their scores of the validation
images are therefore computed once and kept on disk.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from cpcnn_jax.distributed import multihost
from cpcnn_jax.distributed.preemption import Interrupted
from cpcnn_jax.evaluation import figures, metrics
from cpcnn_jax.inference.estimator import WholeImageEstimator
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.training import context_cache
from cpcnn_jax.training.stage import StageContext

Params = Mapping[str, jax.Array]


class Validator(NamedTuple):
    """Functions that rate parameters while density maps are trained."""

    mae: Callable[[Params, Callable[[], int | None]], float]  # of `make_validator`
    preview: Callable[[Params, Any], np.ndarray]  # of `make_preview`


def make_validator(
    context: StageContext, images: Any, folder: str | os.PathLike[str]
) -> Callable[[Params, Callable[[], int | None]], float]:
    """Makes a function that computes the MAE of counts on validation images.

    Only the region of interest counts in images that have one.

    Args:
      context: the stages' common record.
      images: the validation images, at least one; see `cpcnn_jax.data`.
      folder: the folder of the cached scores.

    Returns:
      mae(params, stop): a flat parameter dict, and a function that returns the number
      of a received signal or None, to people. It raises Interrupted after a signal.
    """
    blocks = context.config.crops.side_divisor
    estimator = WholeImageEstimator(context.model, blocks=blocks)

    def predicted_count(params, i):
        record = images[i]
        image = record["image"]
        scores = context_cache.cached_arrays(
            Path(folder) / f"validation_{i:06d}.safetensors",
            lambda: estimator.scores(params, image),
        )
        density = estimator.density(params, image, scores) * record.get("roi", 1)
        return density.sum(dtype="float64")

    def mae(params, stop):
        params = jax.device_put(jax.device_get(params))  # on one device
        counts = []
        for i in multihost.local_share(range(len(images))):
            if signal := stop():
                raise Interrupted(signal, "in a validation")
            if i is not None:
                counts.append(predicted_count(params, i))
        true = [len(points) for points in images.points]
        return metrics.mae(multihost.gather(counts), true)

    return mae


def make_preview(context: StageContext) -> Callable[[Params, Any], np.ndarray]:
    """Makes a function that draws the first crop of a batch with both density maps.

    Args:
      context: the stages' common record.

    Returns:
      preview(params, batch): a flat parameter dict and a batch of a density stage, to
      uint8 `[H, W, 3]`.
    """

    @jax.jit
    def estimate(params, batch):
        inputs = {"context": batch["context"], "valid": batch.get("valid")}
        return context.model.apply(to_variables(params), batch["image"], **inputs)[0]

    def draw(params, batch):
        first = jax.tree.map(lambda values: values[:1], batch)
        predicted = estimate(jax.device_get(params), first)[0, ..., 0]
        image, true = first["image"][0], first["density"][0, ..., 0]
        figure = figures.comparison_figure(image, true, predicted, people=true.sum())
        return figures.figure_pixels(figure)

    return draw

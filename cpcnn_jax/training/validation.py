"""Validation during training: the count error that chooses the best checkpoint.

GCE and LCE of a `CPCNN` are frozen while DME and F-CNN are trained. Their scores of the
validation images are therefore computed once and kept on disk.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from cpcnn_jax.distributed import multihost
from cpcnn_jax.distributed.preemption import Interrupted
from cpcnn_jax.evaluation import figures
from cpcnn_jax.inference.estimator import WholeImageEstimator, make_estimator
from cpcnn_jax.models.cpcnn import CPCNN
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.training import context_cache
from cpcnn_jax.training.checkpoint import SCORE
from cpcnn_jax.training.stage import StageContext

Params = Mapping[str, jax.Array]
Stop = Callable[[], int | None]
LEVELS = ("sparse", "medium", "dense")  # thirds of the images by their true count


class Validator(NamedTuple):
    """Functions that rate parameters while density maps are trained."""

    scores: Callable[[Params, Stop], dict[str, float]]  # of `make_validator`
    preview: Callable[[Params, Any], np.ndarray]  # of `make_preview`


def make_validator(
    context: StageContext, images: Any, folder: str | os.PathLike[str]
) -> Callable[[Params, Stop], dict[str, float]]:
    """Makes a function that scores the counts of validation images.

    Only the region of interest counts in images that have one.

    Args:
      context: the stages' common record.
      images: the validation images, at least one; see `cpcnn_jax.data`.
      folder: the folder of the cached scores of a frozen GCE and LCE.

    Returns:
      scores(params, stop): a flat parameter dict, and a function that returns the
      number of a received signal or None, to a dict of `count_scores`. It raises
      Interrupted after a signal.
    """
    estimate = _make_estimate(context, Path(folder))

    def predicted_count(params, i):
        record = images[i]
        density = estimate(params, i, record["image"]) * record.get("roi", 1)
        return density.sum(dtype="float64")

    def scores(params, stop):
        params = jax.device_put(jax.device_get(params))  # on one device
        counts = []
        for i in multihost.local_share(range(len(images))):
            if signal := stop():
                raise Interrupted(signal, "in a validation")
            if i is not None:
                counts.append(predicted_count(params, i))
        true = np.array([len(points) for points in images.points])
        return count_scores(np.array(multihost.gather(counts)), true, _parts(images))

    def _parts(images):
        if len(getattr(context.config.data, "part", "")) < 2:
            return None
        return [name.partition("/")[0] for name in images.names]

    return scores


def _make_estimate(context, folder):
    """Makes estimate(params, i, image) of the density `[H, W]` of image i."""
    blocks = context.config.crops.side_divisor
    if not isinstance(context.model, CPCNN):
        whole = make_estimator(context.model, blocks=blocks)
        return lambda params, _, image: whole.estimate(params, image)[0]
    estimator = WholeImageEstimator(context.model, blocks=blocks)

    def estimate(params, i, image):
        scores = context_cache.cached_arrays(
            folder / f"validation_{i:06d}.safetensors",
            lambda: estimator.scores(params, image),
        )
        return estimator.density(params, image, scores)

    return estimate


def count_scores(
    predicted: np.ndarray, true: np.ndarray, parts: Sequence[str] | None = None
) -> dict[str, float]:
    """Scores counts, also of each part of the data and of three density levels.

    Too many people in one group can hide too few in another one.

    Args:
      predicted: `[N]` people.
      true: `[N]` people.
      parts: `[N]` names of parts of the data; None: one part.

    Returns:
      validation_mae, people, and validation_bias, the sum of the errors in percent of
      the people. Both also end in _NAME for each part, and in _sparse, _medium and
      _dense for thirds of at least nine images by their true count.

    Example:
      >>> count_scores(np.array([90.0, 50.0]), np.array([100, 50]))
      {'validation_mae': 5.0, 'validation_bias': -6.666666666666667}
    """
    groups = {"": np.full(len(true), True)}
    if parts is not None:
        groups |= {f"_{name}": np.array(parts) == name for name in sorted({*parts})}
    if len(true) >= 9:
        third = np.argsort(np.argsort(true, kind="stable")) * 3 // len(true)
        groups |= {f"_{level}": third == n for n, level in enumerate(LEVELS)}
    scores = {}
    for suffix, members in groups.items():
        error = (predicted - true)[members]
        people = max(true[members].sum(), 1)
        scores[f"{SCORE}{suffix}"] = float(np.mean(np.abs(error)))
        scores[f"validation_bias{suffix}"] = float(100 * error.sum() / people)
    return scores


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
        inputs = {k: batch[k] for k in ("context", "valid") if k in batch}
        return context.model.apply(to_variables(params), batch["image"], **inputs)[0]

    def draw(params, batch):
        first = jax.tree.map(lambda values: values[:1], batch)
        predicted = estimate(jax.device_get(params), first)[0, ..., 0]
        image, true = first["image"][0], first["density"][0, ..., 0]
        figure = figures.comparison_figure(image, true, predicted, people=true.sum())
        return figures.figure_pixels(figure)

    return draw

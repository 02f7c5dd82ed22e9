"""Which checkpoint is the best: the one that counts the validation photographs best.

GCE and LCE are frozen while maps are learned, so that their scores of a photograph are
kept (`context_cache.cached_arrays`) and a validation costs DME and F-CNN alone.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax

from cpcnn_jax.distributed import multihost
from cpcnn_jax.evaluation import figures, metrics
from cpcnn_jax.inference import context_scores, tiling
from cpcnn_jax.io import image as image_io
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.training import context_cache


class Validator(NamedTuple):
    """What is asked of the weights while maps are learned."""

    mae: Callable  # of `make_validator`
    preview: Callable  # of `make_preview`


def make_validator(run, source, folder):
    """Mean absolute error of whole photographs' counts, against annotated heads.

    Where a photograph has a region of interest, only what lies in it counts.

    Args:
      run: `stage.StageContext`.
      source: the photographs held out, at least 1; see `cpcnn_jax.data`.
      folder: where their scores are kept.

    Returns:
      mae(weights): a flat dict of weights to people.
    """
    score, estimate = (
        context_scores.context_estimator(run.model),
        tiling.density_estimator(run.model),
    )

    def predicted(weights, i):
        record = source[i]
        image = record["image"]
        shape = image_io.padded_shape(image)
        grids = run.model.grids(shape, blocks=run.config.crops.side_divisor)
        scores = context_cache.cached_arrays(
            Path(folder) / f"validation_{i:06d}.safetensors",
            lambda: score(weights, image, grids),
        )
        context = context_scores.spread_scores(scores, grids, shape)
        density = estimate(weights, image, context) * record.get("roi", 1)
        return density.sum(dtype="float64")

    def mae(weights):
        weights = jax.device_put(jax.device_get(weights))  # on one device
        ours = multihost.local_share(range(len(source)))
        counts = multihost.gather(
            [predicted(weights, i) for i in ours if i is not None]
        )
        return metrics.mae(counts, [len(points) for points in source.points])

    return mae


def make_preview(run):
    """A batch's first crop, its true map and the estimate, as pixels.

    Args:
      run: `stage.StageContext`.

    Returns:
      preview(weights, batch): a flat dict of weights and a batch of a stage that learns
      maps, to uint8 `[H, W, 3]`.
    """

    @jax.jit
    def estimate(weights, batch):
        variables = to_variables(weights)
        image = batch["image"]
        context = run.model.apply(variables, batch["scores"], image, method="spread")
        return run.model.apply(variables, image, context=context)[0]

    def draw(weights, batch):
        first = jax.tree.map(lambda values: values[:1], batch)
        guess = estimate(jax.device_get(weights), first)[0, ..., 0]
        image, true = first["image"][0], first["density"][0, ..., 0]
        figure = figures.comparison_figure(image, true, guess, people=true.sum())
        return figures.figure_pixels(figure)

    return draw

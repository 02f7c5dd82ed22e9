"""Which checkpoint is the best: the one that counts the validation photographs best.

GCE and LCE are frozen while maps are learned, so that their scores of a photograph are
kept (`frozen.kept`) and a validation costs DME and F-CNN alone.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax

from cpcnn_jax import frozen, metrics, predict
from cpcnn_jax.report import pictures


class Judge(NamedTuple):
    """What is asked of the weights while maps are learned."""

    mae: Callable  # of `validation`
    preview: Callable  # of `preview`


def validation(run, source, folder):
    """Mean absolute error on whole photographs, as in the evaluation.

    Args:
      run: `stages.Run`.
      source: the photographs held out, at least 1; see `cpcnn_jax.data`.
      folder: where their scores are kept.

    Returns:
      mae(weights): a flat dict of weights to people.
    """
    scorer = predict.scorer(run.model, blocks=run.config.crops.fraction)
    density = predict.mapper(run.model)

    def predicted(weights, i):
        image = source[i]["image"]
        scores = frozen.kept(
            Path(folder) / f"validation_{i:06d}.safetensors",
            lambda: scorer(weights, image),
        )
        return density(weights, image, scores).sum(dtype="float64")

    def mae(weights):
        weights = jax.device_put(jax.device_get(weights))  # on one device
        counts = [predicted(weights, i) for i in range(len(source))]
        return metrics.mae(counts, [len(points) for points in source.points])

    return mae


def preview(run):
    """A batch's first crop, its true map and the estimate, as pixels.

    Args:
      run: `stages.Run`.

    Returns:
      preview(weights, batch): a flat dict of weights and a batch of a stage that learns
      maps, to uint8 `[H, W, 3]`.
    """
    estimate = predict.mapper(run.model)

    def draw(weights, batch):
        image, true = batch["image"][0], batch["density"][0, ..., 0]
        scores = {name: values[:1] for name, values in batch["scores"].items()}
        guess = estimate(jax.device_get(weights), image, scores)
        return pictures.pixels(
            pictures.comparison(image, true, guess, people=true.sum())
        )

    return draw

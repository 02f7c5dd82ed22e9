"""One photograph through the trained networks."""

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from cpcnn_jax import steps
from cpcnn_jax.density import resize

KEPT_SIZES = 16  # of photographs, whose compiled programs are kept


def estimator(model, *, blocks=None):
    """The networks as a function of weights and one photograph.

    Args:
      model: CPCNN.
      blocks: per side, for the global context; None: the model's. A training crop is 1.

    Returns:
      estimate(weights, image): a flat dict of weights and `[H, W, 3]`, uint8 or float
      in [0, 1], H and W at least 64, to the density `[H, W]` float32.
    """
    scores, density = scorer(model, blocks=blocks), mapper(model)
    return lambda weights, image: density(weights, image, scores(weights, image))


def scorer(model, *, blocks=None):
    """The first half of `estimator`: what GCE and LCE say of one photograph.

    Args:
      model: CPCNN.
      blocks: as in `estimator`.

    Returns:
      scores(weights, image) -> `CPCNN.scores` of it, with a B of 1.
    """

    @_compiled
    def scores(weights, image):
        variables = steps.variables(weights)
        return model.apply(variables, image, blocks=blocks, method="scores")

    return lambda weights, image: scores(weights, _batch_of_one(image))


def mapper(model):
    """The second half: DME and F-CNN on one photograph and its scores.

    Args:
      model: CPCNN.

    Returns:
      density(weights, image, scores) -> `[H, W]` float32.
    """

    @_compiled
    def density(weights, image, scores):
        variables = steps.variables(weights)
        context = model.apply(variables, scores, image, method="spread")
        return model.apply(variables, image, context=context)[0][0, ..., 0]

    def run(weights, image, scores):
        return np.asarray(density(weights, _batch_of_one(image), scores))

    return run


def _batch_of_one(image):
    if image.dtype == np.uint8:
        image = image.astype(np.float32) / 255
    return jnp.asarray(image)[None]


def mcnn_estimator(model):
    """The baseline likewise: greyed, resized to multiples of 4, its map sized back.

    Args:
      model: MCNN.

    Returns:
      estimate(weights, image): a flat dict of weights and uint8 `[H, W, 3]`, H and W at
      least 4, to the density `[H, W]` float32.
    """

    @_compiled
    def density(weights, grey):
        return model.apply(steps.variables(weights), grey)[0, ..., 0]

    def estimate(weights, image):
        height, width = image.shape[:2]
        size = (width // 4 * 4, height // 4 * 4)
        grey = Image.fromarray(image).convert("L")
        grey = np.asarray(grey.resize(size, Image.Resampling.BILINEAR), np.float32)
        return resize(density(weights, grey[None, ..., None]), (height, width))

    return estimate


def _compiled(function):
    """`jax.jit` of f(weights, photograph, ...) that keeps the programs of a few sizes.

    A process that keeps those of a hundred and more runs out of memory maps and dies.
    """
    program, sizes = jax.jit(function), set()

    def call(weights, photograph, *more):
        if len(sizes | {photograph.shape}) > KEPT_SIZES:
            program.clear_cache()
            sizes.clear()
        sizes.add(photograph.shape)
        return program(weights, photograph, *more)

    return call

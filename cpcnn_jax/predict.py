"""One photograph through MCNN, the baseline; CP-CNN's counterpart is `counter`."""

import jax
import numpy as np
from PIL import Image

from cpcnn_jax import steps
from cpcnn_jax.density import resize

KEPT_SIZES = 16  # of photographs, whose compiled programs are kept


def mcnn_estimator(model):
    """A photograph is greyed, resized to multiples of 4, and its map sized back.

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
    """`jax.jit` of f(weights, photograph) that keeps the programs of a few sizes only.

    A process that keeps those of a hundred and more runs out of memory maps and dies.
    """
    program, sizes = jax.jit(function), set()

    def call(weights, photograph):
        if len(sizes | {photograph.shape}) > KEPT_SIZES:
            program.clear_cache()
            sizes.clear()
        sizes.add(photograph.shape)
        return program(weights, photograph)

    return call

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

    Compiled once for each size of photograph. A process that keeps the programs of a
    hundred sizes runs out of memory maps and dies, so only the last few are kept.

    Args:
      model: CPCNN.
      blocks: per side, for the global context; None: the model's. A training crop is 1.

    Returns:
      estimate(weights, image): a flat dict of weights and `[H, W, 3]`, uint8 or float
      in [0, 1], H and W at least 64, to the density `[H, W]` float32.
    """

    @jax.jit
    def density(weights, image):
        variables = steps.variables(weights)
        context = model.apply(variables, image, blocks=blocks, method="context")
        return model.apply(variables, image, context=context)[0][0, ..., 0]

    sizes = set()

    def estimate(weights, image):
        if len(sizes | {image.shape}) > KEPT_SIZES:
            density.clear_cache()
            sizes.clear()
        sizes.add(image.shape)
        if image.dtype == np.uint8:
            image = image.astype(np.float32) / 255
        return np.asarray(density(weights, jnp.asarray(image)[None]))

    return estimate


def mcnn_estimator(model):
    """The baseline likewise: greyed, resized to multiples of 4, its map sized back.

    Args:
      model: MCNN.

    Returns:
      estimate(weights, image): a flat dict of weights and uint8 `[H, W, 3]`, H and W at
      least 4, to the density `[H, W]` float32.
    """

    @jax.jit
    def density(weights, grey):
        return model.apply(steps.variables(weights), grey)[0, ..., 0]

    def estimate(weights, image):
        height, width = image.shape[:2]
        size = (width // 4 * 4, height // 4 * 4)
        grey = Image.fromarray(image).convert("L")
        grey = np.asarray(grey.resize(size, Image.Resampling.BILINEAR), np.float32)
        return resize(density(weights, grey[None, ..., None]), (height, width))

    return estimate

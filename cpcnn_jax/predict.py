"""One photograph through the trained networks."""

import jax
import jax.numpy as jnp
import numpy as np

from cpcnn_jax import steps


def estimator(model, *, blocks=None):
    """The networks as a function of weights and one photograph.

    Compiled once for each size of photograph.

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

    def estimate(weights, image):
        if image.dtype == np.uint8:
            image = image.astype(np.float32) / 255
        return np.asarray(density(weights, jnp.asarray(image)[None]))

    return estimate

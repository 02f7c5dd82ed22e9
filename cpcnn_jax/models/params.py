"""Flat parameter dicts, "fcnn/t1/kernel" -> array, and the variables of Flax
modules."""

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict


def to_variables(*weights, scope=""):
    """Flat dicts as the variables that a Flax module of that scope takes."""
    flat = {name: value for part in weights for name, value in part.items()}
    inner = {
        name.removeprefix(scope): value
        for name, value in flat.items()
        if name.startswith(scope)
    }
    return {"params": unflatten_dict(inner, sep="/")}


def param_shapes(module, *, channels):
    """The shapes of a module's weights; nothing is computed.

    Args:
      module: a Flax module of a photograph.
      channels: of the photograph.

    Returns:
      Flat dict of names to shapes.
    """
    image = jnp.zeros((1, 64, 64, channels))
    tree = jax.eval_shape(module.init, jax.random.key(0), image)["params"]
    return {name: leaf.shape for name, leaf in flatten_dict(tree, sep="/").items()}

"""Flat parameter dicts, "fcnn/t1/kernel" -> array, and Flax variables."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict
from jax.typing import ArrayLike


def to_variables(
    *weights: Mapping[str, ArrayLike], scope: str = ""
) -> dict[str, dict[str, Any]]:
    """Merges flat parameter dicts into the variables of the Flax module of a scope."""
    flat = {
        name.removeprefix(scope): value
        for part in weights
        for name, value in part.items()
        if name.startswith(scope)
    }
    return {"params": unflatten_dict(flat, sep="/")}


def param_shapes(module: nn.Module, *, channels: int) -> dict[str, tuple[int, ...]]:
    """Infers the shapes of a module's parameters; nothing is computed.

    Args:
      module: a Flax module that takes an image.
      channels: channels of the image.

    Returns:
      Flat dict of parameter names to shapes.
    """
    image = jnp.zeros((1, 64, 64, channels))
    tree = jax.eval_shape(module.init, jax.random.key(0), image)["params"]
    return {name: leaf.shape for name, leaf in flatten_dict(tree, sep="/").items()}

"""Mixed precision: networks in bfloat16, parameters and sums in float32.

Vectors stay in float32. A bias is added in float32, so that its gradient, a sum over
all pixels, is accumulated in float32: a bfloat16 sum ignores terms below 1/256 of it.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def cast_floats(tree: Any, dtype: Any) -> Any:
    """Casts the floating-point arrays of a pytree, except vectors and scalars.

    Args:
      tree: pytree of arrays.
      dtype: the new dtype; None returns the tree unchanged.

    Example:
      >>> kernel, bias = cast_floats((jnp.ones((2, 2)), jnp.ones(2)), jnp.bfloat16)
      >>> print(kernel.dtype, bias.dtype)
      bfloat16 float32
    """
    if dtype is None:
        return tree

    def cast(x):
        floats = jnp.issubdtype(x.dtype, jnp.floating)
        return x.astype(dtype) if floats and x.ndim > 1 else x

    return jax.tree.map(cast, tree)


def to_float32(x: Any) -> jax.Array:
    """Casts to float32 where the dtype is narrower."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def biases_apart(method: Callable, args: tuple, kwargs: dict, context: Any) -> Any:
    """Adds a layer's bias in the bias's dtype if the layer's input is narrower.

    An interceptor for `flax.linen.intercept_methods`.
    """
    module = context.module
    if context.method_name != "__call__" or not getattr(module, "use_bias", False):
        return method(*args, **kwargs)
    kernel, bias = (module.get_variable("params", name) for name in ("kernel", "bias"))
    if bias is None or bias.dtype == args[0].dtype:
        return method(*args, **kwargs)
    bare = module.clone(parent=None, use_bias=False)
    y = bare.apply({"params": {"kernel": kernel}}, *args, **kwargs)
    bias = bias.reshape((1,) * (y.ndim - 1) + (-1,))
    return (y.astype(bias.dtype) + bias).astype(y.dtype)

"""Computing in bfloat16 with weights and sums in float32.

Arrays are cast, but for vectors: a bias is added and a slope multiplied in float32, so
that their gradients, sums over all pixels, are computed in float32 too. In bfloat16 a
sum stands still where the next term is under a 256th of it.
"""

import jax
import jax.numpy as jnp


def cast_floats(tree, dtype):
    """Floating-point arrays in the dtype of the computation, but for vectors.

    Args:
      tree: of arrays.
      dtype: None leaves all as they are.

    Returns:
      The tree.

    Example:
      >>> kernel, bias = cast_floats((jnp.ones((2, 2)), jnp.ones(2)), jnp.bfloat16)
      >>> print(kernel.dtype, bias.dtype)
      bfloat16 float32
    """
    if dtype is None:
        return tree

    def narrow(x):
        floats = jnp.issubdtype(x.dtype, jnp.floating)
        return x.astype(dtype) if floats and x.ndim > 1 else x

    return jax.tree.map(narrow, tree)


def to_float32(x):
    """What a network computed, in float32 or wider, for the losses."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def biases_apart(method, args, kwargs, context):
    """Add a layer's bias in its own dtype, if that is wider than the layer's input.

    For `nn.intercept_methods`.
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

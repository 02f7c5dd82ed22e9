"""Model FLOPs: how much arithmetic a network's layers stand for, however it is done.

Counted over the layers, two operations for each multiply-add of a convolution or an FC
layer, those with the zeros of a border included and those with inserted zeros not. No
compiler is asked: its numbers would count the forms that it was given, such as kernels
folded for speed, and change with the number of devices.
"""

import math

import jax
from flax import linen as nn

from cpcnn_jax.layers.fractionally_strided import FractionallyStridedConv


def layer_flops(network, shape):
    """FLOPs of one evaluation, layer by layer; nothing is computed.

    Args:
      network: a Flax module.
      shape: of its input, the B included.

    Returns:
      Dict of the layers' names, "fcnn/conv1", to numbers.

    Example:
      >>> layer_flops(nn.Conv(8, (3, 3)), (2, 16, 16, 4))
      {'': 294912}
    """
    found = {}

    def intercept(method, args, kwargs, context):
        y = method(*args, **kwargs)
        if context.method_name == "__call__":
            name = "/".join(context.module.path)
            if work := _work(context.module, args[0], y):
                found[name] = found.get(name, 0) + 2 * work
        return y

    with nn.intercept_methods(intercept):
        x = jax.ShapeDtypeStruct(shape, "float32")
        jax.eval_shape(network.init, jax.random.key(0), x)
    return found


def _work(module, x, y):
    """Multiply-adds of a layer; 0 of what is made of layers."""
    match module:
        case nn.Dense():
            return y.size * x.shape[-1]
        case nn.Conv():
            taps = math.prod(module.kernel_size)
            return y.size * taps * x.shape[-1] // module.feature_group_count
        case FractionallyStridedConv():  # every input unit meets every tap
            kernel = module.variables["params"]["kernel"]
            return x.size // x.shape[-1] * kernel.size
    return 0


def training_flops(layers, learns):
    """FLOPs of a step: twice as many again for the derivatives of what learns.

    Args:
      layers: from `layer_flops`.
      learns: name of a layer -> bool.

    Returns:
      A number.

    Example:
      >>> training_flops({"frozen": 10, "head": 2}, lambda name: name == "head")
      16
    """
    return sum(work * (3 if learns(name) else 1) for name, work in layers.items())

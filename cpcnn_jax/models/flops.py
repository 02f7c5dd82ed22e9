"""Model FLOPs: the arithmetic of a network's layers, independent of their lowering.

Each multiply-add of a convolution or an FC layer counts as two operations. Those with
the zeros of a border are included, those with inserted zeros are not. The compiler's
numbers would depend on the lowering, such as folded kernels, and on the number of
devices.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import jax
from flax import linen as nn

from cpcnn_jax.layers.fractionally_strided import FractionallyStridedConv


def layer_flops(network: nn.Module, shape: Sequence[int]) -> dict[str, int]:
    """Counts the FLOPs of each layer in one evaluation; nothing is computed.

    Args:
      network: a Flax module.
      shape: shape of its input, the batch included.

    Returns:
      Names of layers, such as "fcnn/conv1", to FLOPs.

    Example:
      >>> layer_flops(nn.Conv(8, (3, 3)), (2, 16, 16, 4))
      {'': 294912}
    """
    flops: dict[str, int] = {}

    def intercept(method, args, kwargs, context):
        y = method(*args, **kwargs)
        if context.method_name == "__call__":
            name = "/".join(context.module.path)
            if multiply_adds := _multiply_adds(context.module, args[0], y):
                flops[name] = flops.get(name, 0) + 2 * multiply_adds
        return y

    with nn.intercept_methods(intercept):
        x = jax.ShapeDtypeStruct(shape, "float32")
        jax.eval_shape(network.init, jax.random.key(0), x)
    return flops


def _multiply_adds(module, x, y):
    """Counts the multiply-adds of a layer; 0 for modules composed of layers."""
    if not isinstance(module, nn.Dense | nn.Conv | FractionallyStridedConv):
        return 0
    kernel = module.variables["params"]["kernel"]
    if isinstance(module, FractionallyStridedConv):  # each input unit meets every tap
        return x.size // x.shape[-1] * kernel.size
    return y.size * math.prod(kernel.shape[:-1])


def training_flops(layers: Mapping[str, int], learns: Callable[[str], bool]) -> int:
    """Counts the FLOPs of a training step: derivatives add twice a layer's FLOPs.

    Args:
      layers: FLOPs by layer, from `layer_flops`.
      learns: whether the layer of a name is trained.

    Returns:
      FLOPs of the step.

    Example:
      >>> training_flops({"frozen": 10, "head": 2}, lambda name: name == "head")
      16
    """
    return sum(work * (3 if learns(name) else 1) for name, work in layers.items())

"""Converters between the transposed convolutions of other libraries and ours.

`from_X(layer)` returns `(module, variables)`: a `FractionallyStridedConv` with its
kernel and bias, for layers of PyTorch, Keras, Flax, Equinox and Haiku. `to_X(module,
variables)` returns the layer of X.

`from_X(weight, bias, **arguments of X)` converts a kernel and returns
`(params, options)`: parameters of `FractionallyStridedConv`, and arguments for it and
`fractionally_strided_conv`. `to_X(params, **options)` returns `(weights, arguments)`
for X, and `from_X(**weights, **arguments)` is its inverse. Arrays are NumPy arrays on
both sides. No other library is imported, except by `to_X` to make a layer of it.

PyTorch, Keras and ONNX store the kernel of the forward convolution and flip it. Ours is
stored as it meets the stretched input, like those of Flax, Equinox and Haiku. Defaults
are those of X.
"""

from cpcnn_jax.layers.converters.equinox import from_equinox, to_equinox
from cpcnn_jax.layers.converters.flax import from_flax, to_flax
from cpcnn_jax.layers.converters.haiku import from_haiku, to_haiku
from cpcnn_jax.layers.converters.keras import from_keras, to_keras
from cpcnn_jax.layers.converters.onnx import from_onnx, to_onnx
from cpcnn_jax.layers.converters.torch import from_torch, to_torch

__all__ = [
    "from_equinox",
    "from_flax",
    "from_haiku",
    "from_keras",
    "from_onnx",
    "from_torch",
    "to_equinox",
    "to_flax",
    "to_haiku",
    "to_keras",
    "to_onnx",
    "to_torch",
]

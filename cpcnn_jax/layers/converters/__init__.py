"""Converters between the transposed convolutions of other libraries and ours.

`from_X(weight, bias, **arguments of X)` returns `(params, options)`: parameters of
`FractionallyStridedConv`, and arguments for it and `fractionally_strided_conv`.
`to_X(params, **options)` returns `(weights, arguments)` for X, and
`from_X(**weights, **arguments)` is its inverse. Arrays are NumPy arrays on both sides;
no other library is imported.

PyTorch, Keras and ONNX store the kernel of the forward convolution and flip it. Ours is
stored as it meets the stretched input. Defaults are those of X.
"""

from cpcnn_jax.layers.converters.flax import from_flax, to_flax
from cpcnn_jax.layers.converters.keras import from_keras, to_keras
from cpcnn_jax.layers.converters.onnx import from_onnx, to_onnx
from cpcnn_jax.layers.converters.torch import from_torch, to_torch

__all__ = [
    "from_flax",
    "from_keras",
    "from_onnx",
    "from_torch",
    "to_flax",
    "to_keras",
    "to_onnx",
    "to_torch",
]

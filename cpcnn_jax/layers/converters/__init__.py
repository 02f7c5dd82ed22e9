"""Transposed convolutions of other libraries, to ours and back.

`from_X(weight, bias, **X's own arguments)` returns `(params, options)`: what
`FractionallyStridedConv` stores, and what it and `fractionally_strided_conv` are
called with. `to_X(params, **options)` returns `(weights, arguments)` for X, so that
`from_X(**weights, **arguments)` is the way back. Arrays are NumPy arrays on both sides
and no other library is imported.

PyTorch, Keras and ONNX store the kernel of the forward convolution and flip it; ours
are stored as they meet the stretched input. X's defaults are the defaults here.
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

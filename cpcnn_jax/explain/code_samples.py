"""The same layer as runnable calls of other libraries.

Each sample computes y, in the library's own layout, from NumPy arrays
x `[B, H, W, C_in]` and w `[k, k, C_in, C_out]` as it slides.
"""

from collections.abc import Sequence

from cpcnn_jax.explain.explanation import Explanation, grid_padding
from cpcnn_jax.layers import arithmetic


def format_calls(e: Explanation) -> dict[str, str]:
    """Formats the source code of a transposed layer as {library: source code}."""
    numbers, special = _collect_numbers(e), _find_special(e)
    return {
        library: templates[special.get(library, False)].format(**numbers)
        for library, templates in TEMPLATES.items()
    }


def _find_special(e: Explanation) -> dict[str, bool]:
    """Returns for each library whether its plain call cannot express the layer."""
    return {
        "torch": any(z.pads[0] != z.pads[1] for z in e.layers),
        "keras": any(z.s > 1 for z in e.layers) and any(z.d > 1 for z in e.layers),
    }


def _collect_numbers(e: Explanation) -> dict[str, Sequence]:
    """Returns the values of the templates, each a pair (rows, columns)."""
    pairs = [z.pads for z in e.layers]
    low, high = zip(*pairs, strict=True)
    return {
        "k": e.kernel.shape,
        "extent": tuple(arithmetic.effective_kernel(z.k, z.d) for z in e.layers),
        "s": tuple(z.s for z in e.layers),
        "a": tuple(z.a for z in e.layers),
        "d": tuple(z.d for z in e.layers),
        "low": low,
        "pairs": pairs,
        "pads": [grid_padding(z) for z in e.layers],
        "onnx_pads": [*low, *high],
        "end": tuple(b + n for b, n in zip(low, e.output.shape, strict=True)),
    }


CPCNN_JAX = """\
import cpcnn_jax as cp

y = cp.fractionally_strided_conv(
    x, w, strides={s}, padding={pairs},
    output_padding={a}, kernel_dilation={d},
)
"""

LAX = """\
from jax import lax

y = lax.conv_general_dilated(
    x, w, window_strides=(1, 1), padding={pads},
    lhs_dilation={s}, rhs_dilation={d},
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
)
"""

FLAX = """\
from flax import linen as nn

layer = nn.ConvTranspose(
    w.shape[-1], kernel_size={k}, strides={s}, padding={pads},
    kernel_dilation={d}, use_bias=False,
)
y = layer.apply({{"params": {{"kernel": w}}}}, x)
"""

# PyTorch, Keras and ONNX take the flipped kernel, that of the direct convolution.
TORCH = """\
import torch

weight = torch.tensor(w[::-1, ::-1].copy()).permute(2, 3, 0, 1)
y = torch.nn.functional.conv_transpose2d(
    torch.tensor(x).permute(0, 3, 1, 2), weight,
    stride={s}, padding={low}, output_padding={a}, dilation={d},
)
"""
_CROP = ")[:, :, {low[0]}:{end[0]}, {low[1]}:{end[1]}]\n"
TORCH_UNEVEN = TORCH.replace("padding={low}, ", "").removesuffix(")\n") + _CROP

KERAS = """\
import keras

weight = w[::-1, ::-1].transpose(0, 1, 3, 2)
layer = keras.layers.Conv2DTranspose(
    weight.shape[2], {k}, strides={s}, padding="valid",
    dilation_rate={d}, use_bias=False,
)
layer.build(x.shape)
layer.set_weights([weight])
y = keras.ops.pad(layer(x), [(0, 0), (0, {a[0]}), (0, {a[1]}), (0, 0)])
y = y[:, {low[0]}:{end[0]}, {low[1]}:{end[1]}]
"""

KERAS_DILATED = """\
import keras
import numpy as np

# Keras cannot combine stride and dilation, so the zeros go into the kernel.
weight = np.zeros({extent} + w.shape[:1:-1], w.dtype)
weight[::{d[0]}, ::{d[1]}] = w[::-1, ::-1].transpose(0, 1, 3, 2)
layer = keras.layers.Conv2DTranspose(
    weight.shape[2], {extent}, strides={s}, padding="valid", use_bias=False
)
layer.build(x.shape)
layer.set_weights([weight])
y = keras.ops.pad(layer(x), [(0, 0), (0, {a[0]}), (0, {a[1]}), (0, 0)])
y = y[:, {low[0]}:{end[0]}, {low[1]}:{end[1]}]
"""

ONNX = """\
from onnx import helper

# The inputs of the node are X [B, C_in, H, W] and
weight = w[::-1, ::-1].transpose(2, 3, 0, 1)
node = helper.make_node(
    "ConvTranspose", ["X", "W"], ["Y"], strides={s}, dilations={d},
    pads={onnx_pads}, output_padding={a}, kernel_shape={k},
)
"""

# (plain, special) templates; the page fills them too.
TEMPLATES = {
    "cpcnn_jax": (CPCNN_JAX, CPCNN_JAX),
    "jax.lax": (LAX, LAX),
    "flax.linen": (FLAX, FLAX),
    "torch": (TORCH, TORCH_UNEVEN),
    "keras": (KERAS, KERAS_DILATED),
    "onnx": (ONNX, ONNX),
}

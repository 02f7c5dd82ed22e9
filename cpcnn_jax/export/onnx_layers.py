"""Layers as ONNX nodes, equal to the Flax layers of `models`.

Channels come second, `[B, C, H, W]`. Each layer takes its weights from a flat dict by
the layer's name. `op` is an `onnx_graph.Graph`.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from cpcnn_jax.export.onnx_graph import Graph
from cpcnn_jax.layers import converters
from cpcnn_jax.models import vgg

Weights = Mapping[str, np.ndarray]


def normalize(op: Graph, image: str) -> str:
    """Adds `vgg.normalize`."""
    mean, std = (
        np.array(v, np.float32).reshape(1, 3, 1, 1) for v in (vgg.MEAN, vgg.STD)
    )
    return op("Div", op("Sub", image, mean), std)


def conv(op: Graph, weights: Weights, name: str, x: str, *, same: bool = True) -> str:
    """Adds a convolution with "SAME" or no padding, and its bias if it has one."""
    kernel = weights[f"{name}/kernel"].transpose(3, 2, 0, 1)
    sides = kernel.shape[2:]
    pads = [(k - 1) // 2 for k in sides] + [k // 2 for k in sides]
    bias = [weights[f"{name}/bias"]] if f"{name}/bias" in weights else []
    return op("Conv", x, kernel, *bias, pads=pads if same else [0] * 4)


def relu_conv(
    op: Graph, weights: Weights, name: str, x: str, *, same: bool = True
) -> str:
    """Adds a convolution and a ReLU."""
    return op("Relu", conv(op, weights, name, x, same=same))


def relu_upsample(op: Graph, weights: Weights, name: str, x: str) -> str:
    """Adds a fractionally-strided convolution as ONNX's ConvTranspose, and a ReLU."""
    params = {part: weights[f"{name}/{part}"] for part in ("kernel", "bias")}
    padding = (len(params["kernel"]) - 2) // 2
    arrays, attributes = converters.to_onnx(params, strides=2, padding=padding)
    return op("Relu", op("ConvTranspose", x, arrays["W"], arrays["B"], **attributes))


def max_pool(op: Graph, x: str) -> str:
    """Adds 2x2 max-pooling."""
    return op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])


def flatten(op: Graph, x: str) -> str:
    """Flattens features pixel by pixel, as in JAX, to `[B, F]`."""
    return op("Flatten", op("Transpose", x, perm=[0, 2, 3, 1]))


def head(
    op: Graph, weights: Weights, name: str, hidden_dims: Sequence[int], x: str
) -> str:
    """Adds `ClassifierHead`, from `[B, F]` to logits `[B, K]`."""
    for layer in range(len(hidden_dims)):
        x = op("Relu", _dense(op, weights, f"{name}/fc{layer}", x))
    return _dense(op, weights, f"{name}/logits", x)


def _dense(op, weights, name, x):
    return op("Gemm", x, weights[f"{name}/kernel"], weights[f"{name}/bias"])

"""GCE, LCE, DME and F-CNN as ONNX nodes, equal to the modules in `models`.

Channels come second, `[B, C, H, W]`. Each layer takes its weights from a flat dict by
the module's name.
"""

from collections.abc import Mapping

import numpy as np

from cpcnn_jax.config.constants import VGG16_BLOCKS
from cpcnn_jax.export.onnx_graph import Graph
from cpcnn_jax.layers import converters
from cpcnn_jax.models import vgg
from cpcnn_jax.models.dme import DensityMapEstimator
from cpcnn_jax.models.fcnn import FusionCNN, PointwiseFusion
from cpcnn_jax.models.gce import GlobalContextEstimator
from cpcnn_jax.models.lce import LocalContextEstimator

Weights = Mapping[str, np.ndarray]


def add_gce(
    op: Graph, weights: Weights, gce: GlobalContextEstimator, image: str
) -> str:
    """Adds GCE, from `[B, 3, 224, 224]` to logits `[B, K]`."""
    x = _vgg16(op, weights, "gce/vgg16", _normalize(op, image))
    return _head(op, weights, "gce/head", gce.hidden_dims, _flatten(op, x))


def add_lce(
    op: Graph, weights: Weights, lce: LocalContextEstimator, windows: str
) -> str:
    """Adds LCE, from `[B, 3, 64, 64]` to logits `[B, K]`."""
    x = _normalize(op, windows)
    for block in range(1, len(lce.features) + 1):
        for layer in (1, 2):
            x = _relu_conv(op, weights, f"lce/conv{block}_{layer}", x, same=False)
        x = _max_pool(op, x)
    return _head(op, weights, "lce/head", lce.hidden_dims, _flatten(op, x))


def add_dme(op: Graph, weights: Weights, dme: DensityMapEstimator, image: str) -> str:
    """Adds DME, from `[1, 3, H, W]` to features `[1, C, H / 4, W / 4]`."""
    image, features = _normalize(op, image), []
    for number, column in enumerate(dme.columns, start=1):
        x = image
        for layer in range(1, len(column) + 1):
            x = _relu_conv(op, weights, f"dme/column{number}_conv{layer}", x)
            if layer <= 2:
                x = _max_pool(op, x)
        features.append(x)
    return op("Concat", *features, axis=1)


def add_fcnn(
    op: Graph, weights: Weights, fcnn: FusionCNN | PointwiseFusion, x: str
) -> str:
    """Adds the fusion, from `[1, C, h, w]` to `[1, 1, 4 h, 4 w]`."""
    if isinstance(fcnn, PointwiseFusion):
        x = _conv(op, weights, "fcnn/conv1", x)
        ones = np.ones((1, 1, 4, 4), np.float32)  # repeats a cell for its pixels
        return op("ConvTranspose", x, ones, strides=[4, 4])
    x = _relu_conv(op, weights, "fcnn/conv1", x)
    x = _relu_conv(op, weights, "fcnn/conv2", x)
    x = _relu_upsample(op, weights, "fcnn/t1", x)
    x = _relu_conv(op, weights, "fcnn/conv3", x)
    x = _relu_upsample(op, weights, "fcnn/t2", x)
    return _conv(op, weights, "fcnn/conv4", x)


def _vgg16(op, weights, name, x):
    """Adds VGG-16's blocks, with a pooling after each."""
    for block, (_, depth) in enumerate(VGG16_BLOCKS, start=1):
        for layer in range(1, depth + 1):
            x = _relu_conv(op, weights, f"{name}/conv{block}_{layer}", x)
        x = _max_pool(op, x)
    return x


def _normalize(op, image):
    mean, std = (
        np.array(v, np.float32).reshape(1, 3, 1, 1) for v in (vgg.MEAN, vgg.STD)
    )
    return op("Div", op("Sub", image, mean), std)


def _conv(op, weights, name, x, *, same=True):
    """Adds a convolution with "SAME" padding or without padding."""
    kernel = weights[f"{name}/kernel"].transpose(3, 2, 0, 1)
    sides = kernel.shape[2:]
    pads = [(k - 1) // 2 for k in sides] + [k // 2 for k in sides]
    bias = weights[f"{name}/bias"]
    return op("Conv", x, kernel, bias, pads=pads if same else [0] * 4)


def _relu_conv(op, weights, name, x, *, same=True):
    return op("Relu", _conv(op, weights, name, x, same=same))


def _relu_upsample(op, weights, name, x):
    """Adds the fractionally-strided convolution as ONNX's ConvTranspose."""
    params = {part: weights[f"{name}/{part}"] for part in ("kernel", "bias")}
    padding = (len(params["kernel"]) - 2) // 2
    arrays, attributes = converters.to_onnx(params, strides=2, padding=padding)
    return op("Relu", op("ConvTranspose", x, arrays["W"], arrays["B"], **attributes))


def _max_pool(op, x):
    return op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])


def _flatten(op, x):
    """Flattens features pixel by pixel, as in JAX, to `[B, F]`."""
    return op("Flatten", op("Transpose", x, perm=[0, 2, 3, 1]))


def _head(op, weights, name, hidden_dims, x):
    for layer in range(len(hidden_dims)):
        x = op("Relu", _dense(op, weights, f"{name}/fc{layer}", x))
    return _dense(op, weights, f"{name}/logits", x)


def _dense(op, weights, name, x):
    return op("Gemm", x, weights[f"{name}/kernel"], weights[f"{name}/bias"])

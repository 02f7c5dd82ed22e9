"""GCE, LCE, DME and F-CNN as ONNX nodes, equal to the modules in `models`.

Channels come second, `[B, C, H, W]`. Each layer takes its weights from a flat dict by
the module's name.
"""

import numpy as np

from cpcnn_jax.config.constants import VGG16_BLOCKS
from cpcnn_jax.export.onnx_graph import Graph
from cpcnn_jax.export.onnx_layers import (
    Weights,
    conv,
    flatten,
    head,
    max_pool,
    normalize,
    relu_conv,
    relu_upsample,
)
from cpcnn_jax.models.dme import DensityMapEstimator
from cpcnn_jax.models.fcnn import FusionCNN, PointwiseFusion
from cpcnn_jax.models.gce import GlobalContextEstimator
from cpcnn_jax.models.lce import LocalContextEstimator


def add_gce(
    op: Graph, weights: Weights, gce: GlobalContextEstimator, image: str
) -> str:
    """Adds GCE, from `[B, 3, 224, 224]` to logits `[B, K]`."""
    x = _vgg16(op, weights, "gce/vgg16", normalize(op, image))
    return head(op, weights, "gce/head", gce.hidden_dims, flatten(op, x))


def add_lce(
    op: Graph, weights: Weights, lce: LocalContextEstimator, windows: str
) -> str:
    """Adds LCE, from `[B, 3, 64, 64]` to logits `[B, K]`."""
    x = normalize(op, windows)
    for block in range(1, len(lce.features) + 1):
        for layer in (1, 2):
            x = relu_conv(op, weights, f"lce/conv{block}_{layer}", x, same=False)
        x = max_pool(op, x)
    return head(op, weights, "lce/head", lce.hidden_dims, flatten(op, x))


def add_dme(op: Graph, weights: Weights, dme: DensityMapEstimator, image: str) -> str:
    """Adds DME, from `[1, 3, H, W]` to features `[1, C, H / 4, W / 4]`."""
    image, features = normalize(op, image), []
    for number, column in enumerate(dme.columns, start=1):
        x = image
        for layer in range(1, len(column) + 1):
            x = relu_conv(op, weights, f"dme/column{number}_conv{layer}", x)
            if layer <= 2:
                x = max_pool(op, x)
        features.append(x)
    return op("Concat", *features, axis=1)


def add_fcnn(
    op: Graph, weights: Weights, fcnn: FusionCNN | PointwiseFusion, x: str
) -> str:
    """Adds the fusion, from `[1, C, h, w]` to `[1, 1, 4 h, 4 w]`."""
    if isinstance(fcnn, PointwiseFusion):
        x = conv(op, weights, "fcnn/conv1", x)
        ones = np.ones((1, 1, 4, 4), np.float32)  # repeats a cell for its pixels
        return op("ConvTranspose", x, ones, strides=[4, 4])
    x = relu_conv(op, weights, "fcnn/conv1", x)
    x = relu_conv(op, weights, "fcnn/conv2", x)
    x = relu_upsample(op, weights, "fcnn/t1", x)
    x = relu_conv(op, weights, "fcnn/conv3", x)
    x = relu_upsample(op, weights, "fcnn/t2", x)
    return conv(op, weights, "fcnn/conv4", x)


def _vgg16(op, weights, name, x):
    """Adds VGG-16's blocks, with a pooling after each."""
    for block, (_, depth) in enumerate(VGG16_BLOCKS, start=1):
        for layer in range(1, depth + 1):
            x = relu_conv(op, weights, f"{name}/conv{block}_{layer}", x)
        x = max_pool(op, x)
    return x

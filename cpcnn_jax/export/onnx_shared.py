"""The network with a shared backbone as ONNX nodes, equal to `SharedBackbone`."""

import numpy as np

from cpcnn_jax.config.constants import PATCH, VGG16_BLOCKS
from cpcnn_jax.export import onnx_networks
from cpcnn_jax.export.onnx_graph import Graph, integers
from cpcnn_jax.export.onnx_layers import (
    Weights,
    conv,
    max_pool,
    normalize,
    relu_conv,
    relu_upsample,
)
from cpcnn_jax.models.context_map import POOLING
from cpcnn_jax.models.shared_backbone import BLOCK, CELL, HIDDEN_DIMS, SharedBackbone


def add_density(
    op: Graph, weights: Weights, model: SharedBackbone, image: str
) -> tuple[str, list[str]]:
    """Adds the network, from an image to scaled density.

    Args:
      op: the graph.
      weights: flat parameter dict.
      model: the network.
      image: name of `[1, H, W, 3]`, RGB in [0, 1].

    Returns:
      Names of the density times `model.density_scale`, `[1, 1, H', W']` for H' and W'
      rounded up to multiples of 192, and of the scalars H and W.
    """
    size = op("Shape", image)
    lengths = [op("Gather", size, np.int64(axis)) for axis in (1, 2)]
    image = op("Transpose", image, perm=[0, 3, 1, 2])
    x = _pad_with_zeros(op, normalize(op, image), lengths)
    c3, c4, c5 = _backbone(op, weights, x)
    features = [_decode(op, weights, c3, c4, c5)]
    if model.gce is not None or model.lce is not None:
        cells = relu_conv(op, weights, "context_features/conv", c5)
        if model.gce is not None:
            features.append(_context_map(op, weights, "gce", cells, BLOCK))
        if model.lce is not None:
            features.append(_context_map(op, weights, "lce", cells, PATCH))
    fused = op("Concat", *features, axis=1)
    return onnx_networks.add_fcnn(op, weights, model.fcnn, fused), lengths


def _pad_with_zeros(op, x, lengths):
    """Pads at the bottom and at the right, up to multiples of 192."""
    pads = [op("Mod", op("Neg", n), np.int64(BLOCK)) for n in lengths]
    pads = [op("Unsqueeze", n, integers(0)) for n in pads]
    return op("Pad", x, op("Concat", integers(0, 0, 0, 0, 0, 0), *pads, axis=0))


def _backbone(op, weights, x):
    """Adds VGG-16; returns the outputs of its last three blocks."""
    outputs: list[str] = []
    for block, (_, depth) in enumerate(VGG16_BLOCKS, start=1):
        x = max_pool(op, x) if outputs else x
        part = "stem" if block <= 2 else "pyramid"
        for layer in range(1, depth + 1):
            x = relu_conv(op, weights, f"{part}/conv{block}_{layer}", x)
        outputs.append(x)
    return outputs[2:]


def _decode(op, weights, c3, c4, c5):
    """Adds DME, `feature_decoder.FeatureDecoder`."""
    x = relu_conv(op, weights, "dme/conv1", c5)
    for number, skip in ((2, c4), (3, c3)):
        x = relu_upsample(op, weights, f"dme/t{number - 1}", x)
        x = conv(op, weights, f"dme/conv{number}", x)
        skip = conv(op, weights, f"dme/conv{number}_skip", skip)
        x = op("Relu", op("Add", x, skip))
    return x


def _context_map(op, weights, name, cells, side):
    """Adds the softmax scores of windows of some pixels, written over these windows."""
    window = [side // CELL] * 2
    x = op("AveragePool", cells, kernel_shape=window, strides=window)
    for layer in range(len(HIDDEN_DIMS)):
        x = op("Relu", _classify_cells(op, weights, f"{name}/fc{layer}", x))
    scores = op("Softmax", _classify_cells(op, weights, f"{name}/logits", x), axis=1)
    scales = np.array([1, 1, side // POOLING, side // POOLING], np.float32)
    nearest = {"mode": "nearest", "nearest_mode": "floor"}
    corner = {"coordinate_transformation_mode": "asymmetric"}
    return op("Resize", scores, "", scales, **nearest, **corner)


def _classify_cells(op, weights, name, x):
    """Adds an FC layer of each cell, a 1x1 convolution."""
    kernel = weights[f"{name}/kernel"].T[:, :, None, None]
    return op("Conv", x, kernel, weights[f"{name}/bias"])

"""F-CNN that begins as a sum: its first channels carry it through, the others learn.

What is carried must not be negative, as F-CNN's ReLUs let nothing else through. A sum
of the input's channels is taken at every cell, kept by the convolutions and doubled
bilinearly by both T: the map's sum over a region is the sum's. All other channels are
as drawn, but that the last layer does not look at them yet, so that learning goes on
from the sum without a jump.

Reference: Chen, Goodfellow & Shlens, Net2Net, ICLR 2016.
"""

import numpy as np

from cpcnn_jax.layers.initializers import bilinear

LAYERS = ("conv1", "conv2", "t1", "conv3", "t2", "conv4")


def carry_through_fcnn(before, weights, bias=0.0):
    """F-CNN's weights that carry a weighted sum of its input.

    Args:
      before: flat dict of a CP-CNN's weights as drawn, its F-CNN `fcnn.FusionCNN`.
      weights: `[C]`, of F-CNN's input: DME's features, then the context's scores.
      bias: added to the sum.

    Returns:
      F-CNN's weights, a flat dict of float32.
    """
    kernels = {
        layer: np.array(before[f"fcnn/{layer}/kernel"], np.float64) for layer in LAYERS
    }
    biases = {layer: np.zeros(k.shape[-1]) for layer, k in kernels.items()}
    for layer, kernel in kernels.items():
        kernel[..., 0] = 0
        side = len(kernel)
        if layer in ("t1", "t2"):
            kernel[..., :1, :1] = bilinear((2, 2))(None, (side, side, 1, 1))
        else:
            kernel[side // 2, side // 2, 0, 0] = 1
    side = len(kernels["conv1"])
    kernels["conv1"][side // 2, side // 2, :, 0] = weights
    biases["conv1"][0] = bias
    kernels["conv4"][0, 0, 1:] = 0
    found = {f"fcnn/{layer}/kernel": kernel for layer, kernel in kernels.items()}
    found |= {f"fcnn/{layer}/bias": bias for layer, bias in biases.items()}
    return {name: array.astype(np.float32) for name, array in found.items()}

"""Initialization of F-CNN to a weighted sum of its input channels.

The sum is carried by the first channel of each layer: convolutions pass it on, and both
T double its size bilinearly, so that the sum over a region is preserved. It must not be
negative because of the ReLUs. The other channels are random, and the last layer starts
with zero weights on them.

Reference: Chen, Goodfellow & Shlens, Net2Net, ICLR 2016.
"""

from collections.abc import Mapping

import jax
import numpy as np

from cpcnn_jax.layers.initializers import bilinear

LAYERS = ("conv1", "conv2", "t1", "conv3", "t2", "conv4")


def _bilinear(side):
    key = jax.random.key(0)  # required by initializers, not used
    return bilinear((2, 2))(key, (side, side, 1, 1))


def carry_through_fcnn(
    params: Mapping[str, np.ndarray], weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Makes parameters of F-CNN that predict a weighted sum of its input.

    Args:
      params: flat dict of random CP-CNN parameters, with a `fcnn.FusionCNN`.
      weights: `[C]`, weights of DME's features and then of the context's scores.

    Returns:
      F-CNN's parameters, a flat dict of float32.
    """
    kernels = {
        layer: np.array(params[f"fcnn/{layer}/kernel"], np.float64) for layer in LAYERS
    }
    biases = {layer: np.zeros(k.shape[-1]) for layer, k in kernels.items()}
    for layer, kernel in kernels.items():
        kernel[..., 0] = 0
        side = len(kernel)
        if layer in ("t1", "t2"):
            kernel[..., :1, :1] = _bilinear(side)
        else:
            kernel[side // 2, side // 2, 0, 0] = 1
    side = len(kernels["conv1"])
    kernels["conv1"][side // 2, side // 2, :, 0] = weights
    kernels["conv4"][0, 0, 1:] = 0
    arrays = {f"fcnn/{layer}/kernel": kernel for layer, kernel in kernels.items()}
    arrays |= {f"fcnn/{layer}/bias": bias for layer, bias in biases.items()}
    return {name: array.astype(np.float32) for name, array in arrays.items()}

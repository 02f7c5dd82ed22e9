"""The four networks as ONNX nodes: what the modules in `models` say, in ONNX's words.

Features come second, `[B, C, H, W]`. `op` is a `onnx_graph.Graph`, `trained` the
weights as
a flat dict, from which each layer takes its own by the module's name.
"""

import numpy as np

from cpcnn_jax.config.constants import VGG16_BLOCKS
from cpcnn_jax.layers import converters
from cpcnn_jax.models import lce as local
from cpcnn_jax.models import vgg
from cpcnn_jax.models.fcnn import PointwiseFusion


def gce(op, trained, module, image):
    """`[B, 3, 224, 224]` to logits `[B, K]`."""
    x = _vgg16(op, trained, "gce/vgg16", _normalised(op, image), len(VGG16_BLOCKS))
    return _classified(op, trained, "gce/head", module.head, _flat(op, x))


def lce(op, trained, module, patch, parts):
    """`[B, 3, side, side]` to logits `[N, K]`, of each look's windows row by row."""
    x = _normalised(op, patch)
    if module.vgg_blocks:
        x = _vgg16(op, trained, "lce/vgg16", x, module.vgg_blocks)
        x = _flat_windows(op, x, parts, local.PATCH >> module.vgg_blocks)
        return _classified(op, trained, "lce/head", module.head, x)
    for block in range(1, len(module.features) + 1):
        for layer in (1, 2):
            x = _relu_conv(op, trained, f"lce/conv{block}_{layer}", x, same=False)
        x = _max_pool(op, x)
    return _classified(op, trained, "lce/head", module.head, _flat(op, x))


def dme(op, trained, module, image):
    """`[1, 3, H, W]`, multiples of 4, to features `[1, C, H / 4, W / 4]`."""
    image, found = _normalised(op, image), []
    for number, column in enumerate(module.columns, start=1):
        x = image
        for layer in range(1, len(column) + 1):
            x = _relu_conv(op, trained, f"dme/column{number}_conv{layer}", x)
            if layer <= 2:
                x = _max_pool(op, x)
        found.append(x)
    return op("Concat", *found, axis=1)


def fcnn(op, trained, module, x):
    """`[1, C, h, w]` to `[1, 1, 4 h, 4 w]`."""
    if isinstance(module, PointwiseFusion):
        x = _conv(op, trained, "fcnn/conv1", x)
        ones = np.ones((1, 1, 4, 4), np.float32)  # gives a cell's value to its pixels
        return op("ConvTranspose", x, ones, strides=[4, 4])
    x = _relu_conv(op, trained, "fcnn/conv1", x)
    x = _relu_conv(op, trained, "fcnn/conv2", x)
    x = _relu_double(op, trained, "fcnn/t1", x)
    x = _relu_conv(op, trained, "fcnn/conv3", x)
    x = _relu_double(op, trained, "fcnn/t2", x)
    return _conv(op, trained, "fcnn/conv4", x)


def _vgg16(op, trained, name, x, blocks):
    """VGG-16's first blocks, padded, with a pooling after each."""
    for block, (_, depth) in enumerate(VGG16_BLOCKS[:blocks], start=1):
        for layer in range(1, depth + 1):
            x = _relu_conv(op, trained, f"{name}/conv{block}_{layer}", x)
        x = _max_pool(op, x)
    return x


def _normalised(op, image):
    mean, std = (np.float32(v).reshape(1, 3, 1, 1) for v in (vgg.MEAN, vgg.STD))
    return op("Div", op("Sub", image, mean), std)


def _conv(op, trained, name, x, *, same=True):
    """A convolution that keeps the size, or one without padding."""
    kernel = trained[f"{name}/kernel"].transpose(3, 2, 0, 1)
    sides = kernel.shape[2:]
    pads = [(k - 1) // 2 for k in sides] + [k // 2 for k in sides]
    bias = trained[f"{name}/bias"]
    return op("Conv", x, kernel, bias, pads=pads if same else [0] * 4)


def _relu_conv(op, trained, name, x, *, same=True):
    return op("Relu", _conv(op, trained, name, x, same=same))


def _relu_double(op, trained, name, x):
    """T: ONNX has an operator for what JAX writes as a convolution of a stretched x."""
    params = {part: trained[f"{name}/{part}"] for part in ("kernel", "bias")}
    padding = (len(params["kernel"]) - 2) // 2
    arrays, attributes = converters.to_onnx(params, strides=2, padding=padding)
    y = op("ConvTranspose", x, arrays["W"], arrays["B"], **attributes)
    return op("Relu", y)


def _max_pool(op, x):
    return op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])


def _flat(op, x):
    """`[B, F]`: features pixel by pixel, as in JAX."""
    return op("Flatten", op("Transpose", x, perm=[0, 2, 3, 1]))


def _flat_windows(op, x, number, side):
    """`[B * number * number, F]`: likewise, of so many windows along each axis."""
    x = op("Reshape", x, np.int64([0, 0, number, side, number, side]))
    return op("Flatten", op("Transpose", x, perm=[0, 2, 4, 3, 5, 1]), axis=3)


def _classified(op, trained, name, widths, x):
    """Three FC layers."""
    for layer in range(len(widths)):
        x = op("Relu", _dense(op, trained, f"{name}/fc{layer}", x))
    return _dense(op, trained, f"{name}/logits", x)


def _dense(op, trained, name, x):
    return op("Gemm", x, trained[f"{name}/kernel"], trained[f"{name}/bias"])

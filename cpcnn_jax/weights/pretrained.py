"""Pretrained weights: names, files and checksums."""

import hashlib
import os
from pathlib import Path

import numpy as np

from cpcnn_jax.weights import compression, hub, serialization

DEFAULT = "cpcnn_plus_around"
FOLDER = Path(__file__).parent / "files"
# Name to the SHA-256 of NAME.safetensors in this folder; NAME.md is its model card.
PRETRAINED = {
    "shanghaitech_a": (
        "3268bedd1a9ad7e4abeec68b8eaeed1af4d4e6a53e315737a40fce9ee39f6b42"
    ),
    "shanghaitech_a_longer": (
        "363f74a6a23fcb85dbf39621698833e8a94e943a36061c3fae6ef7a14653227c"
    ),
    "cpcnn_plus": "fec959ce69bd6b5b0932a24f8efdd01d7d677b8847cacdf0e58a31688e5a3a9c",
    "cpcnn_plus_context": (
        "259691f069ca46f0b9e8dab9405378c41112491f71371686af1b6a90bb10c282"
    ),
    "cpcnn_plus_around": (
        "2b905e0a7a0370f51ff117167bcb307d7780dcfdaf9a6433aedd7fc19bffa845"
    ),
}
# Help text for arguments of `find_weights`.
HELP = (
    "a weights file, the workdir of a run, a pretrained name "
    f"({', '.join(PRETRAINED)}) or OWNER/NAME on Hugging Face"
)


def find_weights(path: str | os.PathLike[str]) -> Path:
    """Finds a weights file.

    Args:
      path: a weights file; the workdir of a run; a name of `PRETRAINED`; or OWNER/NAME
        of a repository on Hugging Face, unless a folder OWNER exists.

    Raises:
      ValueError: there is none, or a pretrained file has another checksum.
    """
    file = Path(path)
    if file.is_dir():
        file = serialization.weights_file(file)
        if not file.exists():
            raise ValueError(f"no weights at {file}: has the run ended?")
    if file.exists():
        return file
    if str(path) in PRETRAINED:
        return _check_file(str(path))
    if hub.is_repository(path) and not file.parent.exists():
        return hub.fetch(str(path))
    raise ValueError(f"no weights at {path}: expected {HELP}")


def load_params(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Loads all weights of a CP-CNN, including those that its file omits.

    Args:
      path: any argument of `find_weights`.

    Returns:
      Flat dict of float32 arrays.

    Raises:
      ValueError: there are no weights, or the omitted arrays are missing.
    """
    file = find_weights(path)
    digest, base = serialization.load_omitted(file)
    if base and base not in PRETRAINED:
        raise ValueError(f"{file} needs the weights {base}, which are not pretrained")
    params = serialization.load(file)
    if base:
        reference = load_params(_check_file(base))
    elif digest:
        reference = _load_imagenet(file)
    else:
        reference = {}
    try:
        return compression.decompress(params, digest, reference)
    except ValueError as error:
        source = base or serialization.VGG16
        raise ValueError(f"{file}: {source} has {error}") from None


def _load_imagenet(file):
    """ImageNet's arrays that a file may omit."""
    model = serialization.load_model(file)
    try:
        return compression.imagenet_params(model)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def _check_file(name):
    """Returns a pretrained file after a test of its checksum."""
    file = FOLDER / f"{name}.safetensors"
    if hashlib.sha256(file.read_bytes()).hexdigest() != PRETRAINED[name]:
        raise ValueError(f"{file} is damaged: install cpcnn_jax again")
    return file

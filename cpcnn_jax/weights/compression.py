"""Small weights files: float16, without arrays that the loader has already.

GCE and LCE keep many of ImageNet's VGG-16 convolutions, and fine-tuning can leave whole
networks unchanged. A file omits such arrays and stores their hash.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cpcnn_jax.config import Model
from cpcnn_jax.config.constants import VGG16_BLOCKS
from cpcnn_jax.weights import serialization

Params = Mapping[str, np.ndarray]


def imagenet_params(
    model: Model, file: str | os.PathLike[str] = serialization.VGG16
) -> dict[str, np.ndarray]:
    """Loads VGG-16's convolutions under their names in CP-CNN.

    Args:
      model: the configuration of GCE and LCE.
      file: output of `python -m cpcnn_jax import-weights vgg16`.

    Returns:
      Flat parameter dict of GCE's convolutions and of LCE's blocks of VGG-16.

    Raises:
      ValueError: the file is missing or is not a weights file.
    """
    blocks = {
        "gce": len(VGG16_BLOCKS) if model.use_gce else 0,
        "lce": model.lce_vgg_blocks if model.use_lce else 0,
    }
    if not any(blocks.values()):
        return {}
    if not Path(file).exists():
        raise ValueError(
            f"these weights need ImageNet's VGG-16, and {file} is not there: "
            "`make vgg16`, or `python -m cpcnn_jax import-weights vgg16`, writes it"
        )
    return {
        f"{network}/vgg16/{name}": value
        for name, value in serialization.load(file).items()
        for network, number in blocks.items()
        if name.startswith(tuple(f"conv{block + 1}_" for block in range(number)))
    }


def compress(
    params: Params, reference: Params
) -> tuple[dict[str, np.ndarray], str | None]:
    """Omits the arrays that equal the reference, and rounds the others to float16.

    Args:
      params: flat dict of float32 arrays.
      reference: arrays that the loader has, from `imagenet_params` or
        `pretrained.load_params`.

    Returns:
      (flat dict of float16 arrays, SHA-256 of the omitted arrays or None without any).

    Raises:
      ValueError: a weight is too large for float16.
    """
    omitted = {
        name: reference[name]
        for name, value in params.items()
        if name in reference and np.array_equal(value, reference[name])
    }
    small = {}
    for name in params.keys() - omitted.keys():
        with np.errstate(over="ignore"):
            small[name] = params[name].astype(np.float16)
        if not np.isfinite(small[name]).all():
            raise ValueError(f"{name} does not fit into float16")
    return small, _hash_arrays(omitted) if omitted else None


def decompress(
    params: Params, digest: str | None, reference: Params
) -> dict[str, np.ndarray]:
    """Restores the omitted arrays.

    Args:
      params, digest: results of `compress`.
      reference: the reference of `compress`.

    Returns:
      Flat dict of float32 arrays.

    Raises:
      ValueError: the arrays of the reference are not the omitted ones.
    """
    restored = {name: value.astype(np.float32) for name, value in params.items()}
    if digest is None:
        return restored
    omitted = {name: reference[name] for name in reference.keys() - params.keys()}
    if _hash_arrays(omitted) != digest:
        raise ValueError("not the arrays that the file omits")
    return {**restored, **omitted}


def _hash_arrays(arrays):
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode() + np.float32(arrays[name]).tobytes())
    return digest.hexdigest()

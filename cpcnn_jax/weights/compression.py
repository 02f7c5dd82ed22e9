"""Weights small enough to pass on: half precision, without what anyone has.

Eleven of the GCE's thirteen convolutions are VGG-16's as published and never learn, and
so may be the LCE's first; and a training that goes on from released weights may leave
GCE and LCE as they are. A file without such layers says which it needs by their hash,
and `decompress` puts them back.
"""

import hashlib
from pathlib import Path

import numpy as np

from cpcnn_jax.config.constants import VGG16_BLOCKS
from cpcnn_jax.weights import serialization


def imagenet_params(model, file=serialization.VGG16):
    """VGG-16's convolutions under their names in CP-CNN.

    Args:
      model: `config.Model`, which says where they are: in the GCE, and in the LCE the
        blocks that it has.
      file: its path, `python -m cpcnn_jax import-weights vgg16` writes it.

    Returns:
      Flat dict of arrays.

    Raises:
      ValueError: it is not there, or no weights file.
    """
    blocks = {
        "gce": len(VGG16_BLOCKS) if model.use_gce else 0,
        "lce": model.lce_vgg_blocks if model.use_lce else 0,
    }
    if not any(blocks.values()):
        return {}
    if not Path(file).exists():
        raise ValueError(
            f"ImageNet's VGG-16 belongs to these weights, and {file} is not there: "
            "`make vgg16`, or `python -m cpcnn_jax import-weights vgg16`, writes it"
        )
    return {
        f"{network}/vgg16/{name}": value
        for name, value in serialization.load(file).items()
        for network, number in blocks.items()
        if name.startswith(tuple(f"conv{block + 1}_" for block in range(number)))
    }


def compress(trained, known):
    """Make weights small.

    Args:
      trained: flat dict of float32 arrays.
      known: the same, of `imagenet_params` or other released weights.

    Returns:
      (flat dict of float16 arrays without what is known, the SHA-256 of those left out
      or None where there are none).

    Raises:
      ValueError: a weight is too large for float16.
    """
    left_out = {
        name: known[name]
        for name, value in trained.items()
        if name in known and np.array_equal(value, known[name])
    }
    kept = {}
    for name in trained.keys() - left_out.keys():
        with np.errstate(over="ignore"):
            kept[name] = trained[name].astype(np.float16)
        if not np.isfinite(kept[name]).all():
            raise ValueError(f"{name} does not fit into float16")
    return kept, _digest(left_out) if left_out else None


def decompress(trained, digest, known):
    """The weights that `compress` had, but for what rounding to half precision took.

    Args:
      trained: flat dict of arrays.
      digest: of what was left out; None: nothing was.
      known: as of `compress`.

    Returns:
      Flat dict of float32 arrays.

    Raises:
      ValueError: what is known is not what was left out.
    """
    trained = {name: value.astype(np.float32) for name, value in trained.items()}
    if digest is None:
        return trained
    left_out = {name: known[name] for name in known.keys() - trained.keys()}
    if _digest(left_out) != digest:
        raise ValueError("not the layers that were left out")
    return {**trained, **left_out}


def _digest(arrays):
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(name.encode() + np.float32(arrays[name]).tobytes())
    return found.hexdigest()

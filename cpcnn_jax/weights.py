"""Weights as single safetensors files: no code in them, safe to load from strangers.

A file holds flat names such as "fcnn/t1/kernel" and, in its header, the configuration
of the networks, so that it says itself what it is.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from cpcnn_jax.config import Model
from cpcnn_jax.models.vgg import LAYERS


def save(path, weights, model: Model):
    """Write weights and the configuration of their networks.

    Args:
      path: of the file; replaced at once or not at all.
      weights: flat dict of arrays.
      model: goes into the header as JSON.
    """
    path = Path(path)
    half = path.with_suffix(".tmp")
    arrays = {name: np.asarray(value) for name, value in weights.items()}
    save_file(arrays, half, {"model": json.dumps(dataclasses.asdict(model))})
    half.replace(path)


def load(path):
    """Read weights.

    Args:
      path: of a safetensors file.

    Returns:
      flat dict of numpy arrays.

    Raises:
      ValueError: the file is missing or is no safetensors file.
    """
    try:
        return load_file(path)
    except FileNotFoundError:
        raise ValueError(f"no weights at {path}") from None
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from None


def load_model(path) -> Model:
    """The configuration in a weights file's header."""
    with safe_open(path, "numpy") as file:
        return Model(**json.loads(file.metadata()["model"]))


def with_vgg16(weights, path):
    """Put ImageNet's VGG-16 convolutions into the GCE.

    Args:
      weights: flat dict with `gce/vgg16/...`.
      path: a safetensors file with "conv1_1/kernel" (HWIO), "conv1_1/bias" ..., as
        `python -m cpcnn_jax vgg16` writes it.

    Returns:
      A new flat dict.

    Raises:
      ValueError: a layer is missing or of another shape.
    """
    found = load(path)
    taken = {}
    for name in (f"{layer}/{part}" for layer in LAYERS for part in ("kernel", "bias")):
        want = weights[f"gce/vgg16/{name}"].shape
        got = found[name].shape if name in found else "nothing"
        if got != want:
            raise ValueError(
                f"--config.gce.vgg16={path}: expected {name} of shape {want}, got {got}"
                " (--config.model.vgg_width must be 1 for ImageNet's weights)"
            )
        taken[f"gce/vgg16/{name}"] = found[name]
    return {**weights, **taken}

"""Weights as single safetensors files: no code in them, safe to load from strangers.

A file holds flat names such as "fcnn/t1/kernel" and, in its header, the configuration
of the networks, so that it says itself what it is.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file
from safetensors.numpy import save as serialize

from cpcnn_jax import files
from cpcnn_jax.config import Crops, Model
from cpcnn_jax.models.vgg import LAYERS


def save(path, weights, model: Model, *, blocks: int = Crops.fraction):
    """Write weights and what else it takes to count with them.

    Args:
      path: of the file; replaced at once or not at all.
      weights: flat dict of arrays.
      model: the configuration of the networks; goes into the header as JSON.
      blocks: per side of a photograph, for the global context: `config.Crops.fraction`
        of the training.
    """
    arrays = {name: np.ascontiguousarray(value) for name, value in weights.items()}
    # One entry: of several, safetensors writes them in an order of its own each time.
    header = {"model": json.dumps(dataclasses.asdict(model) | {"blocks": blocks})}
    files.replace(path, serialize(arrays, header))


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
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from None


def load_model(path) -> Model:
    """The configuration in a weights file's header.

    Args:
      path: of a file that `save` wrote.

    Returns:
      The configuration of the networks.

    Raises:
      ValueError: the file is missing, or its header describes no networks.
    """
    try:
        fields = _header(path).items()
        return Model(**{name: _tuples(v) for name, v in fields if name != "blocks"})
    except FileNotFoundError:
        raise ValueError(f"no weights at {path}") from None
    except (SafetensorError, OSError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{path} does not say which networks it holds: {error}") from (
            error
        )


def load_blocks(path) -> int:
    """Blocks per side for the global context, from the header; 4 if it says nothing.

    Args:
      path: of a file that `save` wrote.
    """
    return _header(path).get("blocks", Crops.fraction)


def _header(path):
    with safe_open(path, "numpy") as file:
        return json.loads(file.metadata()["model"])


def _tuples(value):
    """JSON's lists as the tuples that they were."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def with_vgg16(weights, path):
    """Put ImageNet's VGG-16 convolutions into the GCE.

    Args:
      weights: flat dict with `gce/vgg16/...`.
      path: a safetensors file with "conv1_1/kernel" (HWIO), "conv1_1/bias" ..., as
        `python -m cpcnn_jax vgg16` writes it.

    Returns:
      A new flat dict.

    Raises:
      ValueError: the file or a layer is missing, or a layer has another shape.
    """
    if not Path(path).exists():
        raise ValueError(
            f"--config.gce.vgg16={path} does not exist; `python -m cpcnn_jax vgg16` "
            "writes such a file"
        )
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

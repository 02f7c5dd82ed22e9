"""Weights as single safetensors files: no code in them, safe to load from strangers.

A file holds flat names such as "fcnn/t1/kernel" and, in its header, the configuration
of the networks, so that it says itself what it is.
"""

import contextlib
import dataclasses
import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file
from safetensors.numpy import save as serialize

from cpcnn_jax.config import Crops, Model
from cpcnn_jax.io import atomic_write

# Where each network's weights are, unless a user says otherwise: what `make demo`
# leaves, and what the commands of these names write.
DEFAULTS = {
    "cpcnn": "runs/demo/weights.safetensors",
    "mcnn": "weights/mcnn.safetensors",
    "csrnet": "weights/csrnet.safetensors",
}
VGG16 = "weights/vgg16.safetensors"  # ImageNet's, which the GCE begins with
# What a header says beside the fields of `config.Model`.
_MORE = ("blocks", "vgg16", "base")


def weights_file(workdir):
    """The trained networks."""
    return Path(workdir) / "weights.safetensors"


def save(
    path,
    weights,
    model: Model,
    *,
    blocks: int = Crops.side_divisor,
    vgg16=None,
    base=None,
):
    """Write weights and what else it takes to count with them.

    Args:
      path: of the file; replaced at once or not at all.
      weights: flat dict of arrays.
      model: the configuration of the networks; goes into the header as JSON.
      blocks: per side of a photograph, for the global context:
        `config.Crops.side_divisor`        of the training.
      vgg16: the hash of layers that are left out, ImageNet's (`pretrained.slim`).
      base: the released weights that have them, if they are not VGG-16's alone.
    """
    _write(
        path,
        weights,
        dataclasses.asdict(model) | {"blocks": blocks, "vgg16": vgg16, "base": base},
    )


def save_baseline(path, weights, name):
    """Write weights of a network that CP-CNN is compared with.

    Args:
      path: of the file, whose folder is made; replaced at once or not at all.
      weights: flat dict of arrays.
      name: "mcnn" or "csrnet".
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    _write(path, weights, {"name": name})


def _write(path, weights, model):
    arrays = {name: np.ascontiguousarray(value) for name, value in weights.items()}
    # One entry: of several, safetensors writes them in an order of its own each time.
    atomic_write.write_atomic(path, serialize(arrays, {"model": json.dumps(model)}))


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


def load_name(path) -> str:
    """Which networks a weights file holds: "cpcnn", "mcnn" or "csrnet".

    Args:
      path: of a file that `save` or `save_baseline` wrote.

    Raises:
      ValueError: the file is missing, or its header names no such networks.
    """
    with _understood(path):
        name = _header(path).get("name", "cpcnn")
        if name not in DEFAULTS:
            raise ValueError(f"expected one of {', '.join(DEFAULTS)}, got {name!r}")
        return name


def load_model(path) -> Model:
    """The configuration in a weights file's header.

    Args:
      path: of a file that `save` wrote.

    Returns:
      The configuration of the networks.

    Raises:
      ValueError: the file is missing, or its header describes no networks.
    """
    with _understood(path):
        fields = _header(path).items()
        return Model(**{name: _tuples(v) for name, v in fields if name not in _MORE})


@contextlib.contextmanager
def _understood(path):
    """What is wrong with a header is a sentence."""
    try:
        yield
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
    return _header(path).get("blocks", Crops.side_divisor)


def load_left_out(path):
    """`vgg16` and `base` of `save`: (hash or None, name or None).

    Args:
      path: of a file that `save` wrote.
    """
    header = _header(path)
    return header.get("vgg16"), header.get("base")


def _header(path):
    with safe_open(path, "numpy") as file:
        return json.loads(file.metadata()["model"])


def _tuples(value):
    """JSON's lists as the tuples that they were."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def insert_vgg16(weights, path):
    """Put ImageNet's VGG-16 convolutions into the GCE, and into an LCE that has some.

    Args:
      weights: flat dict with `gce/vgg16/...`, `lce/vgg16/...` or both.
      path: a safetensors file with "conv1_1/kernel" (HWIO), "conv1_1/bias" ..., as
        `python -m cpcnn_jax import-weights vgg16` writes it.

    Returns:
      A new flat dict.

    Raises:
      ValueError: the file or a layer is missing, or a layer has another shape.
    """
    if not Path(path).exists():
        raise ValueError(
            f"--config.gce.pretrained_vgg16={path} does not exist; `python -m "
            "cpcnn_jax import-weights vgg16` writes such a file"
        )
    found = load(path)
    taken = {}
    for name in weights:
        network, _, layer = name.partition("/vgg16/")
        if network not in ("gce", "lce") or not layer:
            continue
        want = weights[name].shape
        got = found[layer].shape if layer in found else "nothing"
        if got != want:
            raise ValueError(
                f"--config.gce.pretrained_vgg16={path}: expected {layer} of shape "
                f"{want}, got {got} (--config.model.vgg_width_multiplier must be 1 "
                "for ImageNet's weights)"
            )
        taken[name] = found[layer]
    return {**weights, **taken}

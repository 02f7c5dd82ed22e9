"""Weights as safetensors files, which contain no code.

A file holds arrays by flat names such as "fcnn/t1/kernel". Its header holds the
configuration of the networks as JSON.
"""

import contextlib
import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jax.typing import ArrayLike
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file
from safetensors.numpy import save as serialize

from cpcnn_jax.config import Crops, Model, rules
from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.config.import_path import is_import_path
from cpcnn_jax.io import atomic_write, user_cache

BASELINES = ("mcnn", "csrnet")  # networks whose weights `import-weights` converts
NETWORKS = ("cpcnn", *BASELINES)  # names of the networks that a file can hold
VGG16 = "vgg16"  # name of ImageNet's weights, for the initialization of GCE
INTERVALS = "intervals"  # header entry of prediction intervals
StrPath = str | os.PathLike[str]


def weights_file(workdir: StrPath) -> Path:
    """Returns the path of the weights in a run's workdir."""
    return Path(workdir) / "weights.safetensors"


def save(
    path: StrPath,
    weights: Mapping[str, ArrayLike],
    model: Model,
    *,
    blocks: int = Crops.side_divisor,
    intervals: Mapping[str, Any] | None = None,
) -> None:
    """Writes the weights of a CP-CNN atomically.

    Args:
      path: the file.
      weights: flat parameter dict.
      model: the configuration of the networks.
      blocks: blocks per image side for the GCE, the `config.Crops.side_divisor` of the
        training.
      intervals: fields of `inference.prediction_interval.PredictionIntervals`.
    """
    header = dataclasses.asdict(model) | {"blocks": blocks}
    if intervals is not None:
        header[INTERVALS] = dict(intervals)
    _write(path, weights, header)


def save_baseline(path: StrPath, weights: Mapping[str, ArrayLike], name: str) -> None:
    """Writes the weights of a baseline atomically.

    Args:
      path: the file; its folder is created.
      weights: flat parameter dict.
      name: a name of `BASELINES`.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    _write(path, weights, {"name": name})


def _write(path, weights, header):
    arrays = {name: np.ascontiguousarray(value) for name, value in weights.items()}
    # One entry, because safetensors writes several in a random order.
    atomic_write.write_atomic(path, serialize(arrays, {"model": json.dumps(header)}))


def to_float16(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rounds weights to float16, for a file of half the size.

    Args:
      weights: flat parameter dict of float32 arrays.

    Returns:
      Flat dict of float16 arrays.

    Raises:
      ValueError: a weight is too large for float16.
    """
    rounded = {}
    for name, value in weights.items():
        with np.errstate(over="ignore"):
            rounded[name] = value.astype(np.float16)
        if not np.isfinite(rounded[name]).all():
            raise ValueError(f"{name} does not fit into float16")
    return rounded


def load(path: StrPath) -> dict[str, np.ndarray]:
    """Loads the arrays of a safetensors file by flat names.

    Raises:
      ValueError: the file is missing or is not a safetensors file.
    """
    try:
        return load_file(path)
    except FileNotFoundError:
        raise ValueError(f"no weights at {path}") from None
    except Exception as error:  # safetensors raises many types for damaged files
        text = f"{path} is not a safetensors file, or is damaged: {error}"
        raise ValueError(text) from None


def load_name(path: StrPath) -> str:
    """Reads "cpcnn", "mcnn" or "csrnet" in the header of a weights file.

    Raises:
      ValueError: the file is missing, or its header has another name.
    """
    with _open_header(path) as header:
        name = header.get("name", "cpcnn")
        if name not in [*NETWORKS]:
            raise ValueError(f"expected one of {', '.join(NETWORKS)}, got {name!r}")
        return name


def load_model(path: StrPath) -> Model:
    """Reads the configuration of the networks in the header of a file from `save`.

    Raises:
      ValueError: the file is missing, or its header has no valid configuration.
    """
    with _open_header(path) as header:
        fields = {name: _tuples(value) for name, value in header.items()}
        for name in ("blocks", INTERVALS):
            fields.pop(name, None)
        model = Model(**fields)
        for name, value, text in rules.broken_rules(model):
            raise ValueError(f"{name} is {value!r} and must be {text}")
        return model


def refuse_foreign_network(path: StrPath) -> None:
    """Refuses a file that names a network outside of this package, which is imported.

    Raises:
      ValueError: the file names such a network, or its header is not valid.
    """
    if load_name(path) in BASELINES:
        return
    architecture = load_model(path).architecture
    if is_import_path(architecture) and not architecture.startswith("cpcnn_jax."):
        raise ValueError(
            f"{path} names the network {architecture}, which is code outside of this "
            "package: pass the path of the file if you trust it"
        )


def load_blocks(path: StrPath) -> int:
    """Reads the blocks per image side for the GCE; 4 if the header has no number.

    Raises:
      ValueError: the file is missing, or its header has no possible number.
    """
    with _open_header(path) as header:
        blocks = header.get("blocks", Crops.side_divisor)
        if not (rule := rules.whole(1, PATCH)).holds(blocks):
            raise ValueError(f"blocks is {blocks!r} and must be {rule.text}")
        return blocks


def load_intervals(path: StrPath) -> Any:
    """Reads the entry of prediction intervals in the header; None if it has none.

    Raises:
      ValueError: the file is missing, or has no header.
    """
    with _open_header(path) as header:
        return header.get(INTERVALS)


@contextlib.contextmanager
def _open_header(path):
    """Yields the header of a weights file; its ValueErrors name the file."""
    try:
        with safe_open(path, "numpy") as file:
            header = json.loads(file.metadata()["model"])
        if not isinstance(header, dict):
            raise ValueError(f"expected a configuration, got {header!r}")
        yield header
    except FileNotFoundError:
        raise ValueError(f"no weights at {path}") from None
    except SafetensorError as error:
        text = f"{path} is not a safetensors file, or is damaged: {error}"
        raise ValueError(text) from error
    except Exception as error:  # of many types, for damaged headers
        reason = str(error).partition("\n")[0]
        text = f"{path} does not say which networks it holds: {reason}"
        raise ValueError(text) from error


def _tuples(value):
    """Converts JSON's lists to tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def insert_vgg16(
    weights: Mapping[str, Any],
    path: StrPath,
    *,
    stage: str = "gce",
    prefixes: tuple[str, ...] = ("gce/vgg16/",),
) -> dict[str, Any]:
    """Replaces VGG-16's convolutions by ImageNet's.

    Args:
      weights: flat parameter dict with names such as `gce/vgg16/conv1_1/kernel`.
      path: a safetensors file with "conv1_1/kernel" (HWIO), "conv1_1/bias" ..., or
        "vgg16", the file in the user's cache that `cpcnn_jax import-weights vgg16`
        writes.
      stage: the stage whose field names the file, for error messages.
      prefixes: of the names of VGG-16's convolutions.

    Returns:
      A new flat parameter dict.

    Raises:
      ValueError: the file or an array is missing, or an array has another shape.
    """
    flag = f"--config.{stage}.pretrained_vgg16={path}"
    file = user_cache.weights_file(VGG16) if path == VGG16 else Path(path)
    if not file.exists():
        raise ValueError(
            f"{flag}: {file} does not exist; `cpcnn_jax import-weights vgg16` writes "
            "such a file"
        )
    imagenet, inserted = load(file), {}
    for name in weights:
        prefix = next((p for p in prefixes if name.startswith(p)), None)
        if prefix is None:
            continue
        layer = "/".join(name.split("/")[-2:])
        want = weights[name].shape
        got = imagenet[layer].shape if layer in imagenet else "nothing"
        if got != want:
            raise ValueError(
                f"{flag}: expected {layer} of shape "
                f"{want}, got {got} (--config.model.vgg_width_multiplier must be 1 "
                "for ImageNet's weights)"
            )
        inserted[name] = imagenet[layer]
    if not inserted:
        raise ValueError(f"{flag}: the network has no layer conv1_1, conv1_2 ...")
    return {**weights, **inserted}

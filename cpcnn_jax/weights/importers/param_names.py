"""Conversion of PyTorch's arrays: names, and kernels from OIHW to HWIO."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

PARTS = {"kernel": "weight", "bias": "bias"}


def rename_params(
    get_array: Callable[[str], Any],
    layers: Mapping[str, str],
    shapes: Mapping[str, tuple[int, ...]],
    *,
    file: str | os.PathLike[str],
) -> dict[str, np.ndarray]:
    """Converts PyTorch's arrays to the float32 parameters of a Flax module.

    Args:
      get_array: function of a PyTorch name, "LAYER.weight" or "LAYER.bias", that
        returns an array, or None if there is none.
      layers: Flax layer name to PyTorch layer name.
      shapes: Flax parameter name, "LAYER/kernel" or "LAYER/bias", to shape.
      file: the source, for messages.

    Raises:
      ValueError: an array is missing or has another shape.

    Example:
      >>> state_dict = {"0.bias": np.ones(2)}
      >>> shapes = {"conv/bias": (2,)}
      >>> rename_params(state_dict.get, {"conv": "0"}, shapes, file="a.pth")
      {'conv/bias': array([1., 1.], dtype=float32)}
    """
    params = {}
    for name, shape in shapes.items():
        layer, part = name.rsplit("/", 1)
        source = f"{layers[layer]}.{PARTS[part]}"
        want = shape if part == "bias" else tuple(shape[axis] for axis in (3, 2, 0, 1))
        stored = get_array(source)
        got = getattr(stored, "shape", "nothing")
        if got != want:
            raise ValueError(f"{file}: expected {source} of shape {want}, got {got}")
        array = np.asarray(stored, np.float32)
        params[name] = array if part == "bias" else array.transpose(2, 3, 1, 0)
    return params

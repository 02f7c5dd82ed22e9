"""PyTorch's arrays under our names: kernels OIHW there and HWIO here."""

import numpy as np

PARTS = {"kernel": "weight", "bias": "bias"}


def rename_params(source, layers, shapes, *, file):
    """Arrays under the names of a module's weights.

    Args:
      source: function of their name, "LAYER.weight" or "LAYER.bias", to an array, or
        to None where there is none.
      layers: dict of our layers to theirs.
      shapes: dict of our names, "LAYER/kernel" or "LAYER/bias", to shapes.
      file: for sentences about it.

    Returns:
      Dict of our names to float32 arrays.

    Raises:
      ValueError: an array is missing or has another shape.

    Example:
      >>> theirs = {"0.bias": np.ones(2)}
      >>> rename_params(theirs.get, {"conv": "0"}, {"conv/bias": (2,)}, file="a.pth")
      {'conv/bias': array([1., 1.], dtype=float32)}
    """
    return {
        name: _taken(source, layers, name, want, file) for name, want in shapes.items()
    }


def _taken(source, layers, name, want, file):
    layer, part = name.rsplit("/", 1)
    theirs = f"{layers[layer]}.{PARTS[part]}"
    stored = want if part == "bias" else tuple(want[axis] for axis in (3, 2, 0, 1))
    found = source(theirs)
    shape = getattr(found, "shape", "nothing")
    if shape != stored:
        raise ValueError(f"{file}: expected {theirs} of shape {stored}, got {shape}")
    array = np.asarray(found, np.float32)
    return array if part == "bias" else array.transpose(2, 3, 1, 0)

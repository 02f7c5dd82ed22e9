"""The true kernel of a trained layer, and the grey levels of a true photograph."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cpcnn_jax.weights import serialization

WEIGHTS = "weights.safetensors"  # in a workdir


def kernel(
    path: str, layer: str | None, channels: tuple[int, int] | None
) -> np.ndarray:
    """Read a layer's kernel for one channel in and one out.

    Args:
        path: a .safetensors file with "/"-joined parameter names, or a workdir.
        layer: the layer's name, such as fcnn/t1.
        channels: (in, out), or None for the mean over all pairs.

    Returns:
        `[k_rows, k_columns]` float64.

    Raises:
        ValueError: no such file, layer or channels; the message lists what there is.
    """
    file = Path(path) / WEIGHTS if Path(path).is_dir() else Path(path)
    stored = _stored(serialization.load(file), file, layer)
    if channels is None:
        return stored.mean((2, 3), dtype=float)
    if not all(c < n for c, n in zip(channels, stored.shape[2:], strict=True)):
        raise ValueError(
            f"--channels: got {channels[0]}x{channels[1]}, expected less than "
            f"{stored.shape[2]}x{stored.shape[3]}"
        )
    return stored[:, :, channels[0], channels[1]].astype(float)


def _stored(flat: dict, file: Path, layer: str | None) -> np.ndarray:
    """The kernel `[k, k, C_in, C_out]` of the layer."""
    kernels = {
        name.removesuffix("/kernel"): value
        for name, value in flat.items()
        if name.endswith("/kernel") and value.ndim == 4
    }
    if layer not in kernels:
        raise ValueError(
            f"--layer: got {layer!r}, expected one of the layers in {file}: "
            f"{', '.join(sorted(kernels)) or 'it has none with a 2-D kernel'}"
        )
    return kernels[layer]


def grey_levels(path: str, size: tuple[int, int]) -> np.ndarray:
    """Read the middle of a photograph as grey levels, averaged to a small size.

    Args:
        path: an image file.
        size: rows, columns.

    Returns:
        `[rows, columns]` in [0, 1], rounded to 1/100 as they are shown.

    Raises:
        OSError: the file is missing or no image.
    """
    with Image.open(path) as image:
        grey = ImageOps.exif_transpose(image).convert("L")
        small = ImageOps.fit(grey, size[::-1], Image.Resampling.BOX)
    return np.round(np.asarray(small, float) / 255, 2)

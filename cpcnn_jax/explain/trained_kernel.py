"""Inputs from the user's files: a trained kernel, and gray levels of an image."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cpcnn_jax.io.image import read_orientation, transpose_upright
from cpcnn_jax.weights import serialization


def read_kernel(
    path: str | os.PathLike[str], layer: str | None, channels: tuple[int, int] | None
) -> np.ndarray:
    """Reads a layer's kernel `[k_rows, k_columns]` float64 for one pair of channels.

    Args:
        path: a .safetensors file with "/"-joined parameter names, or a workdir.
        layer: the layer's name, such as fcnn/t1.
        channels: (in, out), or None for the mean over all pairs.

    Raises:
        ValueError: the file, layer or channels do not exist; the text lists the layers.
    """
    file = Path(path)
    if file.is_dir():
        file = serialization.weights_file(file)
    kernel = _find_kernel(serialization.load(file), file, layer)
    if channels is None:
        return kernel.mean((2, 3), dtype=float)
    if not all(c < n for c, n in zip(channels, kernel.shape[2:], strict=True)):
        raise ValueError(
            f"--channels: got {channels[0]}x{channels[1]}, expected less than "
            f"{kernel.shape[2]}x{kernel.shape[3]}"
        )
    return kernel[:, :, channels[0], channels[1]].astype(float)


def _find_kernel(
    weights: Mapping[str, np.ndarray], file: Path, layer: str | None
) -> np.ndarray:
    """Returns the kernel `[k, k, C_in, C_out]` of the layer."""
    kernels = {
        name.removesuffix("/kernel"): value
        for name, value in weights.items()
        if name.endswith("/kernel") and value.ndim == 4
    }
    if layer is None or layer not in kernels:
        raise ValueError(
            f"--layer: got {layer!r}, expected one of the layers in {file}: "
            f"{', '.join(sorted(kernels)) or 'it has none with a 2-D kernel'}"
        )
    return kernels[layer]


def read_gray_levels(path: str | os.PathLike[str], size: tuple[int, int]) -> np.ndarray:
    """Reads the center of an image as gray levels, averaged to (rows, columns).

    Returns:
        `[rows, columns]` float64 in [0, 1], rounded to 1/100.

    Raises:
        OSError: the file is missing or not an image.
    """
    with Image.open(path) as image:
        upright = transpose_upright(image, read_orientation(image)[0])
        gray = upright.convert("L")
        small = ImageOps.fit(gray, size[::-1], Image.Resampling.BOX)
    return np.round(np.asarray(small, float) / 255, 2)

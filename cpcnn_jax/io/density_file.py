"""Density maps as files: NumPy arrays, and PNG images with 16-bit gray levels."""

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from cpcnn_jax.io import atomic_write

SUFFIXES = (".npy", ".png", ".json")  # of the files of one map


def save_density(path: str | os.PathLike[str], density: np.ndarray) -> None:
    """Writes PATH.npy, PATH.png of 16-bit gray levels, and their meaning as PATH.json.

    Args:
      path: the path without the last suffix; its folder is created.
      density: `[H, W]` float32 people per pixel.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write.open_atomic(f"{path}.npy") as file:
        np.save(file, density)
    with atomic_write.open_atomic(f"{path}.png") as file:
        offset, scale = write_png(file, density)
    description = {
        "count": float(density.sum(dtype=np.float64)),
        "people per pixel": "offset + scale * gray level",
        "offset": offset,
        "scale": scale,
    }
    atomic_write.write_json(f"{path}.json", description)


def write_png(file: BinaryIO, density: np.ndarray) -> tuple[float, float]:
    """Writes a density map `[H, W]` as a PNG image with 16-bit gray levels.

    Returns:
      (offset, scale) with people per pixel = offset + scale * level.
    """
    low, high = float(density.min()), float(density.max())
    scale = (high - low) / 65535 or 1.0
    levels = np.empty(density.shape, np.uint16)
    for row, values in enumerate(density):  # row by row to save memory
        levels[row] = np.rint((values - low) / scale).clip(0, 65535)
    Image.fromarray(levels).save(file, format="png")
    return low, scale

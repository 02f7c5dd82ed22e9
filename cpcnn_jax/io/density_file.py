"""A density map as files: numbers for programs, a grey picture for everyone."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from cpcnn_jax.io import atomic_write


def save_density(path, density):
    """Write PATH.npy, PATH.png and PATH.json.

    The picture has 16-bit grey levels; the JSON beside it says what they mean: people
    per pixel = offset + scale * level. Estimated densities can be below zero.

    Args:
      path: without the last suffix; its folder is made.
      density: `[H, W]` float32 people per pixel.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write.open_atomic(f"{path}.npy") as file:
        np.save(file, density)
    with atomic_write.open_atomic(f"{path}.png") as file:
        low, scale = write_png(file, density)
    meaning = {
        "count": float(density.sum(dtype=np.float64)),
        "people per pixel": "offset + scale * grey level",
        "offset": low,
        "scale": scale,
    }
    atomic_write.write_atomic(
        f"{path}.json", (json.dumps(meaning, indent=2) + "\n").encode()
    )


def write_png(file, density):
    """Write a density map as a picture with 16-bit grey levels.

    Args:
      file: open, binary.
      density: `[H, W]` float32 people per pixel.

    Returns:
      (offset, scale): people per pixel = offset + scale * level.
    """
    low, high = float(density.min()), float(density.max())
    scale = (high - low) / 65535 or 1.0
    levels = np.empty(density.shape, np.uint16)
    for row, values in enumerate(density):  # whole, its steps would need much memory
        levels[row] = np.rint((values - low) / scale).clip(0, 65535)
    Image.fromarray(levels).save(file, format="png")
    return low, scale

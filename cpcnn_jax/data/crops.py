"""Numbers and sizes of the paper's training examples [R, section 4].

D_dme holds crops of a quarter of an image's sides, and D_lc patches of 64x64 pixels.
"""

import math

import numpy as np

from cpcnn_jax.config import Crops
from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.data import Dataset

STRIDE = 4  # of the networks: crop sides are multiples of it


def crops_per_image(crops: Crops) -> int:
    """Number of crops in D_dme from each image."""
    return crops.num_plain + crops.num_augmented


def crop_size(shape: tuple[int, int], crops: Crops) -> tuple[int, int]:
    """Size of crops: a quarter of each side, rounded to `crops.size_multiple`.

    Args:
      shape: (height, width) of an image, pixels.
      crops: the crops' settings.

    Returns:
      (height, width), multiples of 4, from 64 pixels to the size of the image; or
      `crops.fixed_side` squared.

    Example:
      >>> crop_size((768, 1024), Crops()), crop_size((683, 182), Crops())
      ((192, 256), (192, 64))
    """
    if crops.fixed_side:
        return crops.fixed_side, crops.fixed_side
    step = math.lcm(crops.size_multiple, STRIDE)

    def length(side):
        divided = round(side / crops.side_divisor / step) * step
        return max(PATCH, min(divided, side // step * step))

    return length(shape[0]), length(shape[1])


def crop_sizes(dataset: Dataset, crops: Crops) -> np.ndarray:
    """Computes `[N, 2]` int32 (height, width) of the crops of each image, pixels."""
    return np.array([crop_size(shape, crops) for shape in dataset.shapes], np.int32)


def canvas_size(sizes: np.ndarray) -> tuple[int, int]:
    """Computes (H, W) of the smallest canvas that holds windows of all sizes.

    Example:
      >>> canvas_size(np.array([[64, 192], [128, 96]]))
      (128, 192)
    """
    height, width = np.max(sizes, axis=0).tolist()
    return height, width


def check_sizes(dataset: Dataset) -> None:
    """Refuses images that are too small for the networks.

    Raises:
      ValueError: an image has a side under 64 pixels.
    """
    for name, (height, width) in zip(dataset.names, dataset.shapes, strict=True):
        if min(height, width) < PATCH:
            raise ValueError(
                f"{name} has {width}x{height} pixels; the networks need at "
                f"least {PATCH}x{PATCH}"
            )

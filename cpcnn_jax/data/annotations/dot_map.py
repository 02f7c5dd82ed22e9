"""Heads from a picture of dots: a PNG as large as the photograph, black but for them.

A head is a group of pixels that are not black and touch, also at their corners; it lies
in the middle of the group. Transparent pixels are black. Dots that touch are one head.
"""

import io
from pathlib import PurePath

import numpy as np
from scipy import ndimage

from cpcnn_jax.data import readers
from cpcnn_jax.data.annotations import heads as heads_lib

SUFFIX = "_dots"  # IMG_1_dots.png belongs to IMG_1.jpg
MOST = 0.5  # of the pixels; more is not black with dots


def read(data, name):
    """Reads the heads.

    Args:
      data: the file's bytes.
      name: the file's.

    Returns:
      {photograph's name: `heads.Heads`}, of one photograph.

    Raises:
      ValueError: not a whole PNG, too large, or mostly not black.
    """
    image = readers.decode_image(io.BytesIO(data), name)
    if image.mode[0] in "IF":  # numbers of heads, say; colours would cut them
        dotted = np.asarray(image) != 0
    else:
        pixels = np.asarray(image.convert("RGBA"))
        dotted = pixels[..., :3].any(axis=2) & (pixels[..., 3] > 0)
    if dotted.mean() > MOST:
        raise ValueError("more than half of it is not black, so it is no mask of dots")
    groups, number = ndimage.label(dotted, np.ones((3, 3)))
    middles = ndimage.center_of_mass(dotted, groups, range(1, number + 1))
    points = [(x, y) for y, x in middles]
    photograph = PurePath(name).stem.removesuffix(SUFFIX)
    return {f"{photograph}.png": heads_lib.make_heads(points, image.size)}

"""Head points from a dot map: a PNG of the image's size, black except for the heads.

A head is the center of an 8-connected group of pixels that are neither black nor
transparent. Dots that touch are one head. The file does not state whether it was drawn
on the stored pixels or on the upright image of EXIF.
"""

import io
from pathlib import PurePath

import numpy as np
from scipy import ndimage

from cpcnn_jax.data import readers
from cpcnn_jax.data.annotations.heads import HeadsByImage, make_heads

SUFFIX = "_dots"  # IMG_1_dots.png belongs to IMG_1.jpg
MAX_DOT_FRACTION = 0.5  # of the pixels


def read(data: bytes, name: str) -> HeadsByImage:
    """Reads the head points of one image, which has the file's name without SUFFIX.

    Raises:
      ValueError: not a complete PNG, too large, or mostly not black.
    """
    image = readers.decode_image(io.BytesIO(data), name)
    if image.mode[0] in "IF":  # wide integers or floats, which RGBA would clip
        dots = np.asarray(image) != 0
    else:
        pixels = np.asarray(image.convert("RGBA"))
        dots = pixels[..., :3].any(axis=2) & (pixels[..., 3] > 0)
    if dots.mean() > MAX_DOT_FRACTION:
        raise ValueError("more than half of it is not black, so it is no dot map")
    groups, number = ndimage.label(dots, np.ones((3, 3)))
    centers = ndimage.center_of_mass(dots, groups, range(1, number + 1))
    points = [(x, y) for y, x in centers]
    stem = PurePath(name).stem.removesuffix(SUFFIX)
    return {f"./{stem}": make_heads(points, image.size)}

"""Files from elsewhere, each believed only once it is read: photographs and heads.

Whatever is wrong with a file is a ValueError that names it.
"""

import re

import numpy as np
from absl import logging
from PIL import Image
from scipy.io import loadmat

from cpcnn_jax import density

FORMATS = ("JPEG", "PNG")  # all that pillow may try on a file from elsewhere


def numbered(folder, first):
    """The photographs of a folder that are named like its `first`, in order."""
    pattern = re.sub(r"\d+$", r"\\d+", first) + r"\.jpe?g"
    images = [p for p in folder.glob("*") if re.fullmatch(pattern, p.name, re.I)]
    if not images:
        raise ValueError(f"{folder} holds no photographs {first}.jpg, ...")
    return sorted(images)


def check_image(path):
    """(height, width), after decoding every pixel once."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            image.load()
            return image.size[::-1]
    except Exception as error:  # pillow raises whatever a damaged file leads to
        raise ValueError(f"{path} is not a whole JPEG photograph: {error}.") from error


def keep_inside(points, shape, annotation):
    """The heads inside the photograph; says in one line how many were not."""
    points = points.reshape(-1, 2) if points.size == 0 else points
    try:
        kept = density.inside(points, shape)
    except ValueError as error:
        raise ValueError(f"{annotation}: {error}") from None
    if not kept.all():
        outside, size = (~kept).sum(), f"{shape[1]}x{shape[0]}"
        text = "%s: %d of %d heads lie outside the photograph of %s pixels; dropped."
        logging.warning(text, annotation, outside, len(kept), size)
    return points[kept]


def read_mat(path, take, holding, what="head points"):
    """What `take` makes of the variables of a MATLAB file (up to version 7).

    Args:
      path: the file.
      take: the function from its variables, a dict, to the result.
      holding: what `take` expects, in the words of the error.
      what: what the result is, likewise.

    Raises:
      ValueError: no such file, a damaged one, or one with other variables.
    """
    try:
        return take(loadmat(path))
    except Exception as error:  # SciPy's reader raises whatever a damaged file leads to
        raise ValueError(
            f"{path} holds no {what}: expected a MATLAB file with {holding} "
            f"({type(error).__name__}: {error})."
        ) from error


def read_points(path, variable="annPoints"):
    """`[N, 2]` float32 (x, y): one variable of a MATLAB file."""
    return read_mat(
        path, lambda mat: np.asarray(mat[variable], np.float32), f"{variable} [N, 2]"
    )


def image_info(mat):
    """`[N, 2]` float32 (x, y) in the variables of a GT_IMG_n.mat of ShanghaiTech."""
    return np.asarray(mat["image_info"][0, 0][0, 0][0], np.float32)

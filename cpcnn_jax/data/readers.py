"""Files from elsewhere, each believed only once it is read: photographs and heads.

Whatever is wrong with a file is a ValueError that names it.
"""

import re
import warnings
from typing import NamedTuple

import numpy as np
from absl import logging
from PIL import ExifTags, Image
from scipy.io import loadmat

from cpcnn_jax.data import density_map

FORMATS = ("JPEG", "PNG")  # all that pillow may try on a file from elsewhere
MOST_PIXELS = Image.MAX_IMAGE_PIXELS  # 89 million, where pillow warns of a bomb


class ImageHeader(NamedTuple):
    """What a photograph's file says, every pixel of it decoded."""

    shape: tuple  # (height, width) as stored, pixels
    orientation: int  # EXIF's, 1 (as stored) to 8
    mode: str  # pillow's; "L" is grey


def list_numbered(folder, first):
    """The photographs of a folder that are named like its `first`, in order."""
    pattern = re.sub(r"\d+$", r"\\d+", first) + r"\.jpe?g"
    images = [p for p in folder.glob("*") if re.fullmatch(pattern, p.name, re.I)]
    if not images:
        raise ValueError(f"{folder} holds no photographs {first}.jpg, ...")
    return sorted(images)


def check_image(path):
    """Decodes a photograph once; `ImageHeader`, or a ValueError that names it."""
    image = decode_image(path, path)
    if image.mode[0] in "IF":
        raise ValueError(f"{path} has more than 8 bits a channel: save it with 8.")
    turn = image.getexif().get(ExifTags.Base.Orientation, 1)
    return ImageHeader(image.size[::-1], turn if turn in range(1, 9) else 1, image.mode)


def decode_image(file, name):
    """The pixels of a file, unless it declares more than `MOST_PIXELS`.

    Args:
      file: its path, or opened.
      name: of it, in the errors.

    Returns:
      A pillow image.

    Raises:
      ValueError: not a whole JPEG or PNG, or too large a one.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(file, formats=FORMATS)
        with image:
            image.load()
            image.getexif()  # read while the file is open
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ValueError(
            f"{name} declares more than {MOST_PIXELS:,} pixels and was not decoded."
        ) from None
    except Exception as error:  # pillow raises whatever a damaged file leads to
        raise ValueError(
            f"{name} is not a whole JPEG or PNG photograph: {error}."
        ) from error
    return image


def as_points(points, annotation):
    """`[N, 2]`, whatever the shape of no heads; other shapes are refused."""
    points = np.zeros((0, 2), np.float32) if points.size == 0 else points
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(
            f"{annotation}: Head points must be [N, 2] as (x, y); got {points.shape}."
        )
    return points


def keep_inside(points, shape, annotation):
    """The heads inside the photograph; says in one line how many were not."""
    try:
        kept = density_map.points_inside(points, shape)
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

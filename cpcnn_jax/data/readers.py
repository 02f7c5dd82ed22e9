"""Validating readers of image files and of head points in MATLAB files.

Every error of a file is a ValueError that names the file.
"""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from absl import logging
from PIL import Image

from cpcnn_jax.data import density_map
from cpcnn_jax.data.mat_file import load_mat
from cpcnn_jax.io.image import read_orientation

FORMATS = ("JPEG", "PNG")  # the only decoders that Pillow may try
MAX_PIXELS = Image.MAX_IMAGE_PIXELS  # 89 million, Pillow's decompression-bomb warning
T = TypeVar("T")


class ImageHeader(NamedTuple):
    """Properties of an image file whose pixels were decoded once."""

    shape: tuple[int, int]  # (height, width) of the stored pixels
    orientation: int  # EXIF orientation, 1 (as stored) to 8
    mode: str  # Pillow's; "L" is grayscale


def list_numbered(folder: Path, first: str) -> list[Path]:
    """Lists the JPEG files of a folder with the name pattern of `first`, sorted."""
    pattern = re.sub(r"\d+$", r"\\d+", first) + r"\.jpe?g"
    images = [p for p in folder.glob("*") if re.fullmatch(pattern, p.name, re.I)]
    if not images:
        raise ValueError(f"{folder} holds no images {first}.jpg, ...")
    return sorted(images)


def check_image(path: Path) -> ImageHeader:
    """Decodes an image once; raises a ValueError unless it has 8 bits per channel."""
    image = decode_image(path, path)
    if image.mode[0] in "IF":
        raise ValueError(f"{path} has more than 8 bits a channel: save it with 8.")
    orientation, fault = read_orientation(image)
    if fault:
        logging.warning("%s: %s", path, fault)
    width, height = image.size
    return ImageHeader((height, width), orientation, image.mode)


def decode_image(file: Any, name: str | Path) -> Image.Image:
    """Decodes a JPEG or PNG file, open or by path; name is for error messages.

    Raises:
      ValueError: not a complete JPEG or PNG, or more than `MAX_PIXELS` pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(file, formats=FORMATS)
        with image:
            image.load()
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ValueError(
            f"{name} declares more than {MAX_PIXELS:,} pixels and was not decoded."
        ) from None
    except Exception as error:  # Pillow raises many types for damaged files
        text = f"{name} is not a complete JPEG or PNG image: {error}."
        raise ValueError(text) from error
    return image


def as_points(points: np.ndarray, annotation: str | Path) -> np.ndarray:
    """Returns `[N, 2]` points, `[0, 2]` for any empty array.

    Raises:
      ValueError: another shape, or several points that are all in the first pixel.
    """
    points = np.zeros((0, 2), np.float32) if points.size == 0 else points
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(
            f"{annotation}: Head points must be [N, 2] as (x, y); got {points.shape}."
        )
    if len(points) > 1 and np.ptp(points) and ((points >= 0) & (points <= 1)).all():
        raise ValueError(
            f"{annotation}: all head points are from 0 to 1. They must be pixels, not "
            "fractions of the image's size."
        )
    return points


def keep_inside(
    points: np.ndarray, shape: tuple[int, int], annotation: str | Path
) -> np.ndarray:
    """Drops the `[N, 2]` points outside an image of (height, width) with a warning."""
    try:
        inside = density_map.points_inside(points, shape)
    except ValueError as error:
        raise ValueError(f"{annotation}: {error}") from None
    if not inside.all():
        outside, size = (~inside).sum(), f"{shape[1]}x{shape[0]}"
        text = "%s: %d of %d heads lie outside the image of %s pixels; dropped."
        logging.warning(text, annotation, outside, len(inside), size)
    return points[inside]


def read_mat(
    path: Path, take: Callable[[dict], T], holding: str, what: str = "head points"
) -> T:
    """Reads a MATLAB file (up to version 7) and extracts a value from its variables.

    Args:
      path: the file.
      take: function from the dict of variables to the value.
      holding: description of the expected variables, for the error message.
      what: description of the value, for the error message.

    Raises:
      ValueError: missing or damaged file, or other variables.
    """
    try:
        return take(load_mat(path))
    except Exception as error:  # SciPy raises many types for damaged files
        raise ValueError(
            f"{path} holds no {what}: expected a MATLAB file with {holding} "
            f"({type(error).__name__}: {error})."
        ) from error


def read_points(path: Path, variable: str = "annPoints") -> np.ndarray:
    """Reads `[N, 2]` float32 (x, y) from one variable of a MATLAB file."""
    return read_mat(path, lambda mat: _to_float32(mat[variable]), f"{variable} [N, 2]")


def _to_float32(values):
    """Converts numbers; one beyond float32 becomes infinite."""
    if np.iscomplexobj(values):
        raise TypeError("they are complex numbers")
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float32)


def image_info(mat: dict[str, Any]) -> np.ndarray:
    """Extracts `[N, 2]` float32 (x, y) from ShanghaiTech's GT_IMG_n.mat variables."""
    return _to_float32(mat["image_info"][0, 0][0, 0][0])

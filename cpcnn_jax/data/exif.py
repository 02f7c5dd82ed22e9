"""Conversion of head points between stored pixels and the upright image of EXIF.

Data sets have points on the stored pixels. Some annotation tools write them on the
upright image, which EXIF orientations 2 to 8 define by a rotation or reflection.
"""

import numpy as np

from cpcnn_jax.data import density_map, readers

UNDECIDED = (
    "its annotation does not state whether the head points are on the stored pixels or "
    "on the upright image of EXIF orientation %d; `cpcnn_jax check-data "
    "FOLDER --points-on upright --write COPY` (or stored) writes both upright"
)
SWAPPED = range(5, 9)  # the orientations that exchange width and height
_FLIPS = {  # {orientation: (mirror x, mirror y)} on stored pixels, before the exchange
    1: (False, False),
    2: (True, False),
    3: (True, True),
    4: (False, True),
    5: (False, False),
    6: (False, True),
    7: (True, True),
    8: (True, False),
}


def upright_shape(shape: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Returns (height, width) of the upright image from that of the stored pixels."""
    return (shape[1], shape[0]) if orientation in SWAPPED else shape


def is_turned(
    points: np.ndarray,
    size: tuple[int, int] | None,
    header: readers.ImageHeader,
    upright: bool | None = False,
) -> bool:
    """Whether head points lie on the upright image and not on the stored pixels.

    The annotation's size decides, or without a size the one shape that contains all
    finite points. If both shapes or none are possible, `upright` decides.

    Args:
      points: `[N, 2]` (x, y), pixels; values may be infinite or NaN.
      size: (width, height) that the annotation states, or None.
      header: header of the image.
      upright: whether the annotation's tool displays the upright image, or None.

    Raises:
      ValueError: the annotation describes an image of another size, or nothing decides.
    """
    shapes = header.shape, upright_shape(header.shape, header.orientation)
    if size is not None:
        fits = [(size[1], size[0]) == shape for shape in shapes]
        if not any(fits):
            height, width = header.shape
            raise ValueError(
                f"the annotation is of an image of {size[0]}x{size[1]} pixels, not of "
                f"{width}x{height}"
            )
    else:
        finite = points[np.isfinite(points).all(axis=1)]
        fits = [all(density_map.points_inside(finite, shape)) for shape in shapes]
    if fits[0] != fits[1]:
        return fits[1]
    if header.orientation == 1 or not len(points):
        return False
    if upright is None:
        raise ValueError(UNDECIDED % header.orientation)
    return upright


def to_upright(
    points: np.ndarray, shape: tuple[int, int], orientation: int
) -> np.ndarray:
    """Moves each head point with its pixel to the upright image.

    Args:
      points: `[N, 2]` (x, y) on the stored pixels.
      shape: (height, width) of the stored pixels.
      orientation: EXIF orientation, 1 to 8.

    Returns:
      `[N, 2]` float64 (x, y) on the upright image, pixels.

    Example:
      >>> to_upright(np.array([[0, 0], [89.5, 10]]), (81, 90), 6)
      array([[80. ,  0. ],
             [70. , 89.5]])
    """
    x, y = np.asarray(points, np.float64).T
    mirror_x, mirror_y = _FLIPS[orientation]
    x = _mirror(x, shape[1]) if mirror_x else x
    y = _mirror(y, shape[0]) if mirror_y else y
    return np.stack((y, x) if orientation in SWAPPED else (x, y), axis=1)


def _mirror(x, size):
    """Moves a position on pixel floor(x) to pixel size - 1 - floor(x)."""
    return size - 1 - np.floor(x) + np.where(x == np.floor(x), 0, np.ceil(x) - x)

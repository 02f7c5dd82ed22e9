"""On which pixels heads were marked: as the file stores them, or as EXIF turns them.

A photograph's file may ask to be shown turned or mirrored (EXIF's Orientation, 2 to 8).
Here pixels are used as stored and points are (x, y) on them; most annotation tools show
the turned photograph and write points on that. The two cannot always be told apart.
"""

import numpy as np

from cpcnn_jax.data import density_map

SWAPPED = range(5, 9)  # the orientations that exchange width and height
_FLIPS = {  # of an orientation: x mirrored, y mirrored, both as stored; then swapped?
    1: (False, False),
    2: (True, False),
    3: (True, True),
    4: (False, True),
    5: (False, False),
    6: (False, True),
    7: (True, True),
    8: (True, False),
}


def upright_shape(shape, orientation):
    """(height, width) of the photograph as EXIF turns it."""
    return shape[::-1] if orientation in SWAPPED else tuple(shape)


def is_turned(points, size, seen):
    """Whether the heads are marked on the photograph as EXIF turns it.

    Args:
      points: `[N, 2]` (x, y), pixels, of which some may not be finite.
      size: (width, height) of the photograph in the annotation's words, or None.
      seen: the photograph, a `readers.ImageHeader`.

    Returns:
      True if only so does the size agree, or, without one, do all heads lie inside.

    Raises:
      ValueError: the annotation is of a photograph of another size.
    """
    shapes = seen.shape, upright_shape(seen.shape, seen.orientation)
    if size is not None:
        fits = [(size[1], size[0]) == shape for shape in shapes]
        if not any(fits):
            height, width = seen.shape
            raise ValueError(
                f"the annotation is of a photograph of {size[0]}x{size[1]} pixels, not "
                f"of {width}x{height}"
            )
    else:
        finite = points[np.isfinite(points).all(axis=1)]
        fits = [density_map.points_inside(finite, shape).all() for shape in shapes]
    return bool(fits[1] and not fits[0])


def upright(points, shape, orientation):
    """Takes heads to the photograph as EXIF turns it: to the pixel where theirs goes.

    Args:
      points: `[N, 2]` (x, y) on the pixels as stored.
      shape: (height, width) as stored.
      orientation: EXIF's, 1 to 8.

    Returns:
      `[N, 2]` (x, y) on the turned pixels.

    Example:
      >>> upright(np.array([[0, 0], [89.5, 10]]), (81, 90), 6)
      array([[80. ,  0. ],
             [70. , 89.5]])
    """
    x, y = np.asarray(points, np.float64).T
    mirror_x, mirror_y = _FLIPS[orientation]
    x = _mirror(x, shape[1]) if mirror_x else x
    y = _mirror(y, shape[0]) if mirror_y else y
    return np.stack((y, x) if orientation in SWAPPED else (x, y), axis=1)


def _mirror(x, size):
    """A place on the pixel floor(x), on the pixel size - 1 - floor(x)."""
    return size - 1 - np.floor(x) + np.where(x == np.floor(x), 0, np.ceil(x) - x)

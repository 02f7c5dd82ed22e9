"""Any photograph of a user's, read safely, upright and in three colours.

Whatever is wrong with it is a ValueError that names it. Only five formats are tried, a
picture's size is looked at before a pixel is decoded, and half a picture is none.
"""

import contextlib
import os
import warnings
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
PIXELS = 170_000_000  # decoded at most; pillow itself gives up at 178,956,970
UNNAMED = "the image"
_UPRIGHT = {  # what undoes an EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class LoadedImage(NamedTuple):
    """What was read, and what had to be done to it."""

    name: str  # of the file, for sentences about it
    pixels: np.ndarray  # [H, W, 3] RGB, uint8 or float32 in [0, 1]
    size: tuple[int, int]  # (H, W), upright, before it was shrunk
    notes: tuple[str, ...] = ()  # sentences about what is not as one would think


def read_image(image, *, max_size=None) -> LoadedImage:
    """Read a photograph from wherever it is.

    An EXIF orientation is undone. Transparent places become white. Of several frames
    the first is taken, which a note says. 16-bit grey is divided by 257. Colour
    profiles are not applied.

    Args:
      image: a path, an open binary file, a PIL image, or an array `[H, W, 3]` RGB or
        `[H, W]` grey, uint8 or floating point in [0, 1].
      max_size: pixels; a longer photograph is shrunk to this. None: never.

    Returns:
      The `LoadedImage`.

    Raises:
      ValueError: it cannot be read, or is nothing of the above.

    Example:
      >>> read_image(np.zeros((80, 120)), max_size=60).pixels.shape
      (40, 60, 3)
    """
    if isinstance(image, (str, os.PathLike)):
        return _read_file(image, str(image), max_size)
    if hasattr(image, "read"):
        return _read_file(image, str(getattr(image, "name", UNNAMED)), max_size)
    if isinstance(image, Image.Image):
        with _naming(UNNAMED):
            return _decoded(image, UNNAMED, max_size)
    if hasattr(image, "__array__"):
        return _of_array(np.asarray(image), max_size)
    raise ValueError(
        "expected a photograph as a path, an open file, a PIL image or an array, got "
        f"{type(image).__name__}"
    )


class _Refused(ValueError):
    """A sentence of ours."""


@contextlib.contextmanager
def _naming(name):
    """Whatever pillow makes of a file is a sentence that names it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what matters is an error here
            yield
    except _Refused:
        raise
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise ValueError(f"{name} cannot be opened: {error.strerror}") from None
    except Image.DecompressionBombError:
        raise ValueError(f"{name} has more than {PIXELS:,} pixels: shrink it") from None
    except UnidentifiedImageError:
        formats = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        raise ValueError(f"{name} is no {formats} photograph") from None
    except Exception as error:  # pillow raises whatever a damaged file leads to
        raise ValueError(f"{name} is damaged: {error}") from None


def _read_file(file, name, max_size):
    with _naming(name), Image.open(file, formats=FORMATS) as image:
        return _decoded(image, name, max_size)


def _decoded(image, name, max_size):
    width, height = image.size
    if width * height > PIXELS:
        raise _Refused(
            f"{name} has {width}x{height} pixels, more than {PIXELS:,}: shrink it"
        )
    frames = getattr(image, "n_frames", 1)
    notes = (f"{name} has {frames} frames: the first is counted",) * (frames > 1)
    image.load()
    colour = _colour(image, name)
    turn = image.getexif().get(ExifTags.Base.Orientation)
    if turn in _UPRIGHT:
        colour = colour.transpose(_UPRIGHT[turn])
    size = colour.size[::-1]
    if max_size and max(size) > max_size:
        colour = _shrunk(colour, max_size)
    return LoadedImage(name, np.asarray(colour), size, notes)


def _colour(image, name):
    """An image of any mode as one of mode RGB."""
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise _Refused(
            f"{name} has 32-bit grey levels, and nothing says which is white: save it "
            "with 8 or 16 bits"
        )
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _of_array(array, max_size):
    shape, kind = array.shape, array.dtype
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    if array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise ValueError(f"expected an array [H, W, 3] or [H, W], got {shape}")
    if np.issubdtype(kind, np.floating):
        if not (array.min() >= 0 and array.max() <= 1):  # also where it holds NaN
            raise ValueError(
                f"expected floating-point values in [0, 1], got {array.min():g} to "
                f"{array.max():g}: divide by the value of white"
            )
        array = array.astype(np.float32, copy=False)
    elif kind != np.uint8:
        raise ValueError(f"expected an array of uint8 or floating point, got {kind}")
    size = array.shape[:2]
    if max_size and max(size) > max_size:
        array = _shrunk_array(array, max_size)
    return LoadedImage(UNNAMED, array, size)


def _shrunk(image, max_size):
    scale = max_size / max(image.size)
    return image.resize([max(1, round(side * scale)) for side in image.size])


def _shrunk_array(array, max_size):
    planes = [Image.fromarray(array[..., channel]) for channel in range(3)]
    shrunk = np.stack([np.asarray(_shrunk(p, max_size)) for p in planes], axis=2)
    # Bicubic overshoots at an edge; 8-bit planes are clipped by pillow.
    return shrunk.clip(0, 1) if shrunk.dtype == np.float32 else shrunk


def padded_shape(pixels):
    """(H, W) rounded up to multiples of 4, as CPCNN pads a photograph."""
    return tuple(length + -length % 4 for length in pixels.shape[:2])


def padded_window(pixels, rows, columns):
    """A part of a photograph whose last row and column go on beyond its end.

    Args:
      pixels: `[H, W, 3]` uint8 or float32 in [0, 1].
      rows: (start, stop) with the start inside.
      columns: likewise.

    Returns:
      `[h, w, 3]` float32 in [0, 1].

    Example:
      >>> padded_window(np.full((2, 2, 3), 255, np.uint8), (1, 4), (0, 2)).shape
      (3, 2, 3)
    """
    inside = pixels[slice(*rows), slice(*columns)]
    spans = zip((rows, columns), inside.shape[:2], strict=True)
    missing = [(0, stop - start - length) for (start, stop), length in spans]
    found = np.pad(inside, (*missing, (0, 0)), mode="edge")
    return found.astype(np.float32) / 255 if found.dtype == np.uint8 else found

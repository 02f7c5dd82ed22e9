"""Reading of the user's own images as upright RGB arrays.

Every problem with a file is a ValueError that names it. Truncated files are refused.
"""

import contextlib
import functools
import os
import warnings
from collections.abc import Iterator
from typing import IO, NamedTuple

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError, features

ImageSource = str | os.PathLike[str] | IO[bytes] | Image.Image | np.ndarray
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff"),
)
AVIF, HEIF = (".avif",), (".heic", ".heif", ".hif")  # read where it is installed
HEIF_HINT = "HEIC needs pillow-heif: pip install 'cpcnn_jax[heif]'"
ALL_SUFFIXES = SUFFIXES + AVIF + HEIF
MAX_PIXELS = 170_000_000  # below pillow's own limit of 178,956,970
UNNAMED = "the image"
_UPRIGHT = {  # EXIF orientation -> the transposition that undoes it
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class LoadedImage(NamedTuple):
    """Pixels of an image, and notes on the conversion."""

    name: str  # of the file, for messages
    pixels: np.ndarray  # [H, W, 3] RGB, uint8 or float32 in [0, 1]
    size: tuple[int, int]  # (H, W) in pixels, upright, before resizing
    notes: tuple[str, ...] = ()  # sentences for the user

    def __repr__(self) -> str:
        """The image in one line, without its pixels."""
        return f"<image {self.name}, {self.size[1]}x{self.size[0]} pixels>"


def read_image(image: ImageSource, *, max_size: int | None = None) -> LoadedImage:
    """Reads an image from a file or from memory.

    The EXIF orientation is undone. Transparent pixels become white. Of several frames
    the first is read. 16-bit gray levels are divided by 257. No color profile is used.

    Args:
      image: a path, an open binary file, a PIL image, or an array `[H, W, 3]` RGB or
        `[H, W]` gray, uint8 or floating point in [0, 1].
      max_size: pixels; an image with a longer side is resized to this.

    Raises:
      ValueError: the image cannot be read, or has none of these types.

    Example:
      >>> read_image(np.zeros((80, 120)), max_size=60).pixels.shape
      (40, 60, 3)
    """
    if isinstance(image, (str, os.PathLike)):
        return _read_file(image, str(image) or UNNAMED, max_size)
    if hasattr(image, "read"):
        return _read_file(image, str(getattr(image, "name", UNNAMED)), max_size)
    if isinstance(image, Image.Image):
        with _name_errors(UNNAMED):
            return _decode(image, UNNAMED, max_size)
    if hasattr(image, "__array__"):
        return _convert_array(np.asarray(image), max_size)
    raise ValueError(
        "expected an image as a path, an open file, a PIL image or an array, got "
        f"{type(image).__name__}"
    )


@functools.cache
def installed_formats() -> dict[str, tuple[str, ...]]:
    """Finds the formats beside `FORMATS` that are installed, with their suffixes.

    AVIF needs a Pillow with libavif, and HEIF needs pillow-heif, the extra `heif`.
    """
    formats: dict[str, tuple[str, ...]] = {}
    if features.check("avif"):
        formats["AVIF"] = AVIF
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
        formats["HEIF"] = HEIF
    return formats


def readable_suffixes() -> tuple[str, ...]:
    """Lists the suffixes of the readable formats, in lower case."""
    return SUFFIXES + sum(installed_formats().values(), ())


class UnknownFormatError(ValueError):
    """The file has none of `FORMATS` and of the installed ones."""


class _ImageError(ValueError):
    """Error whose text already names the image."""


@contextlib.contextmanager
def _name_errors(name: str) -> Iterator[None]:
    """Turns the errors of pillow into ValueErrors that name the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except _ImageError:
        raise
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise ValueError(f"{name} cannot be opened: {error.strerror}") from None
    except Image.DecompressionBombError:
        text = f"{name} has more than {MAX_PIXELS:,} pixels: shrink it"
        raise ValueError(text) from None
    except UnidentifiedImageError:
        formats = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        text = f"{name} is not a {formats} image"
        if name.lower().endswith(HEIF) and "HEIF" not in installed_formats():
            text = f"{name}: {HEIF_HINT}"
        raise UnknownFormatError(text) from None
    except Exception as error:  # pillow raises many types for damaged files
        raise ValueError(f"{name} is damaged: {error}") from None


def _read_file(file, name: str, max_size: int | None) -> LoadedImage:
    formats = (*FORMATS, *installed_formats())
    with _name_errors(name), Image.open(file, formats=formats) as image:
        return _decode(image, name, max_size)


def read_size(file: str | os.PathLike[str] | IO[bytes]) -> tuple[int, int] | None:
    """Reads (H, W) of the upright image in its file's header; None if it has none."""
    try:
        formats = (*FORMATS, *installed_formats())
        with _name_errors(str(file)), Image.open(file, formats=formats) as image:
            width, height = image.size
            orientation, _ = read_orientation(image)
    except ValueError:
        return None
    return (width, height) if orientation >= 5 else (height, width)


def _decode(image: Image.Image, name: str, max_size: int | None) -> LoadedImage:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _ImageError(
            f"{name} has {width}x{height} pixels, more than {MAX_PIXELS:,}: shrink it"
        )
    frames = getattr(image, "n_frames", 1)
    notes = (f"{name} has {frames} frames: the first is counted",) * (frames > 1)
    image.load()
    notes += _describe_levels(image, name)
    rgb = _convert_to_rgb(image, name)
    orientation, fault = read_orientation(image)
    notes += (f"{name}: {fault}",) if fault else ()
    rgb = transpose_upright(rgb, orientation)
    width, height = rgb.size
    if max_size and max(rgb.size) > max_size:
        rgb = _shrink(rgb, max_size)
    return LoadedImage(name, np.asarray(rgb), (height, width), notes)


def read_orientation(image: Image.Image) -> tuple[int, str | None]:
    """Reads the EXIF orientation of an open or loaded image.

    Returns:
      (orientation 1 to 8, a sentence on an EXIF block that cannot be read or None). The
      orientation is 1 without a valid one.
    """
    fault = "its EXIF block cannot be read, so its pixels are taken as upright"
    exif = Image.Exif()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            exif.load(image.info.get("exif", b""))  # `getexif` reports an error once
            value = exif.get(ExifTags.Base.Orientation)
            value = value or image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # pillow raises many types for damaged metadata
        return 1, fault
    if value in range(1, 9):
        return int(value), fault if caught and not exif else None
    return 1, None


def transpose_upright(image: Image.Image, orientation: int) -> Image.Image:
    """Undoes an EXIF orientation, 1 to 8."""
    turn = _UPRIGHT.get(orientation)
    return image if turn is None else image.transpose(turn)


def _describe_levels(image: Image.Image, name: str) -> tuple[str, ...]:
    """A note on a 16-bit image that seems to hold the levels of 10 or 12 bits."""
    if not image.mode.startswith("I;16"):
        return ()
    highest = int(np.asarray(image).max())
    if highest >= 2**12:
        return ()
    text = f"{name} is nearly black: its highest gray level is {highest:,} of 65,535"
    return (f"{text}; multiply the levels of a 10-bit or 12-bit camera",)


def _convert_to_rgb(image: Image.Image, name: str) -> Image.Image:
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise _ImageError(
            f"{name} has 32-bit gray levels without a defined white: save it with 8 or "
            "16 bits"
        )
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _convert_array(array: np.ndarray, max_size: int | None) -> LoadedImage:
    shape, dtype = array.shape, array.dtype
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    if array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise ValueError(f"expected an array [H, W, 3] or [H, W], got {shape}")
    if np.issubdtype(dtype, np.floating) or dtype.name == "bfloat16":
        array = array.astype(np.float32, copy=False)
        _check_range(array.min(), array.max())
    elif dtype != np.uint8:
        raise ValueError(f"expected an array of uint8 or floating point, got {dtype}")
    height, width = array.shape[:2]
    if max_size and max(height, width) > max_size:
        array = _shrink_array(array, max_size)
    return LoadedImage(UNNAMED, array, (height, width))


def _check_range(lowest, highest):
    if not np.isfinite([lowest, highest]).all():
        raise ValueError("expected values in [0, 1], got NaN or infinity")
    if lowest < 0 or highest > 1:
        remedy = ": divide by the value of white" if lowest >= 0 else ""
        raise ValueError(
            f"expected floating-point values in [0, 1], got {lowest:g} to {highest:g}"
            f"{remedy}"
        )


def _shrink(image: Image.Image, max_size: int) -> Image.Image:
    scale = max_size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height))


def _shrink_array(array: np.ndarray, max_size: int) -> np.ndarray:
    planes = [Image.fromarray(array[..., channel]) for channel in range(3)]
    shrunk = np.stack([np.asarray(_shrink(p, max_size)) for p in planes], axis=2)
    # Bicubic interpolation overshoots at edges; pillow clips 8-bit planes itself.
    return shrunk.clip(0, 1) if shrunk.dtype == np.float32 else shrunk


def padded_shape(pixels: np.ndarray) -> tuple[int, int]:
    """Returns (H, W) rounded up to multiples of 4, the padding of CPCNN."""
    height, width = pixels.shape[:2]
    return height + -height % 4, width + -width % 4


def padded_window(
    pixels: np.ndarray, rows: tuple[int, int], columns: tuple[int, int]
) -> np.ndarray:
    """Cuts out a window and repeats the last row and column beyond the image.

    Args:
      pixels: `[H, W, 3]` uint8 or float32 in [0, 1].
      rows, columns: (start, stop) in pixels; start lies inside the image.

    Returns:
      `[stop - start of rows, stop - start of columns, 3]` float32 in [0, 1].

    Example:
      >>> padded_window(np.full((2, 2, 3), 255, np.uint8), (1, 4), (0, 2)).shape
      (3, 2, 3)
    """
    inside = pixels[slice(*rows), slice(*columns)]
    spans = zip((rows, columns), inside.shape[:2], strict=True)
    missing = [(0, stop - start - length) for (start, stop), length in spans]
    window = np.pad(inside, (*missing, (0, 0)), mode="edge")
    return window.astype(np.float32) / 255 if window.dtype == np.uint8 else window

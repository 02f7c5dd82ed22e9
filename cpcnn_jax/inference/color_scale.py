"""Colors of a density map over an image: a scale in people per 100x100 pixels."""

import math

import numpy as np

AREA = 100**2  # pixels, the unit of the scale
FLOOR = 20  # people per AREA, the lowest end of a scale: an empty field stays dark
OPACITY = 0.85  # of the densest places
_SAMPLE = 1000  # pixels of a side from which the end of a scale is estimated
# Inferno of matplotlib at equal distances, from no people to the end of the scale.
_INFERNO = (
    "000003 0a0723 200c4a 3c0965 570f6d 70196e 892269 a32b61 bb3754 d04544 e35832 "
    "f0701e f98c09 fbaa0e f8c931 f1e864 fcfea4"
).split()


def scale_end(density: np.ndarray) -> float:
    """Chooses the end of a map's color scale.

    Args:
      density: `[H, W]` people per pixel.

    Returns:
      People per 100x100 pixels: the 99.8th percentile, or the floor of 20, rounded up
      to 1, 2 or 5 times a power of ten.

    Example:
      >>> scale_end(np.full((64, 64), 0.0031))
      50.0
    """
    step = math.ceil(max(density.shape) / _SAMPLE)
    people = AREA * float(np.percentile(density[::step, ::step], 99.8))
    power = 10.0 ** math.floor(math.log10(max(people, FLOOR)))
    digits = (1, 2, 5, 10)
    return next(n * power for n in digits if n * power >= max(people, FLOOR) - 1e-9)


def color_table() -> np.ndarray:
    """Returns the colors of 256 levels, `[256, 3]` float32 in [0, 255]."""
    colors = np.array([[*bytes.fromhex(color)] for color in _INFERNO], np.float32)
    places = np.linspace(0, len(colors) - 1, 256)
    known = np.arange(len(colors))
    channels = [np.interp(places, known, channel) for channel in colors.T]
    return np.stack(channels, axis=1).astype(np.float32)


def blend(pixels: np.ndarray, density: np.ndarray, end: float) -> np.ndarray:
    """Draws a density map over an image, transparent where nobody is.

    Args:
      pixels: `[H, W, 3]` uint8, or float32 in [0, 1].
      density: `[H, W]` people per pixel.
      end: people per 100x100 pixels at the end of the scale.

    Returns:
      `[H, W, 3]` uint8.
    """
    if pixels.dtype != np.uint8:
        pixels = 255 * pixels
    share = np.clip(density * (AREA / end), 0, 1)
    heat = color_table()[(share * 255).astype(np.uint8)]
    opacity = OPACITY * np.sqrt(share)[..., None]
    return np.rint(pixels + opacity * (heat - pixels)).astype(np.uint8)
